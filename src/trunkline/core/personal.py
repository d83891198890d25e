"""Personal numbers and addresses in text that people said or programs wrote.

Speech is written down in many ways: `4111 1111, 1111 1111`, `4111-1111…`, `four one one one`. So
digits are first gathered into *runs*: groups of digits, or English words for one digit each, with
little between them. Rules then look at the digits of a run. Where a rule is in doubt it finds:
a record that lost an order number is a smaller harm than one that kept a card's.

Checksums and structures are python-stdnum's. No expression here goes back over what it has read
(`++`, `*+`), and no rule looks at more than a bounded stretch for each place in the text.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Final

from stdnum import iban, luhn, numdb
from stdnum.us import itin, ssn

from trunkline.core.kinds import Kind

CARD_DIGITS: Final = range(19, 12, -1)
"""How long a payment card's number may be; the longest is tried first."""

CARD_FIRST: Final = frozenset("23456")
"""What the number of a payment card begins with."""

GLUED_DIGITS_MIN: Final = 5
"""A card may begin or end inside a group only if it has so many digits: cards are said and written
in groups of four at most six, and lists of prices and dates are not cards."""

AFTER_CARD_DIGITS_MAX: Final = 8
"""If so many digits follow a card at most, they go with it: month, year and security code."""

SSN_DIGITS: Final = 9
ZIP_CODE: Final = [5, 4]
"""How nine digits are grouped that are no social security number."""

PHONE_DIGITS: Final = range(10, 16)
"""What a run needs to be a phone number, if no `+` stands before it."""

PHONE_DIGITS_AFTER_PLUS: Final = range(7, 16)
LOCAL_NUMBER: Final = [3, 4]
"""How a number without its area is grouped."""

RUN_CHARS_MIN: Final = min(PHONE_DIGITS_AFTER_PLUS)
"""A shorter run is no number of a person: `one`, `12`, `10:30`."""

LOCAL_CHARS_MAX: Final = 64
"""Of an e-mail address, before the @."""

DIGIT_WORDS: Final = dict(
    zip(
        ("zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        "000123456789",
        strict=True,
    )
)
REPEATS: Final = {"double": 2, "triple": 3}

_WORD: Final = rf"\b(?:{'|'.join(DIGIT_WORDS)})\b"
_GROUP: Final = rf"(?:\d++|\b(?:{'|'.join(REPEATS)})\s(?:{_WORD}|\d\b)|{_WORD})"
_BETWEEN: Final = r"[\s.,;_/()\-\u00ad\u00b7\u2010-\u2015\u2212\u200b-\u200d\u2060\ufeff]{0,5}+"
GROUP: Final = re.compile(_GROUP, re.IGNORECASE)
RUN: Final = re.compile(rf"{_GROUP}(?:{_BETWEEN}{_GROUP})*+", re.IGNORECASE)

ANYTHING: Final = re.compile(rf"[\d@]|{_WORD}", re.IGNORECASE)
"""A text without this holds nothing that is looked for."""

DOMAIN: Final = re.compile(r"\w(?:[\w-]{0,62}+)(?:\.[\w-]{1,63}+)++")
IBAN_START: Final = re.compile(r"(?<![A-Za-z])[A-Za-z]{2}[\s-]?\d{2}", re.ASCII)
IBAN_SIGNS: Final = re.compile(r"(?:[A-Za-z0-9][\s.-]{0,3}+){15,34}+", re.ASCII)
IBAN_BETWEEN: Final = re.compile(r"[\s.-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Group:
    """Digits that stand together, and where."""

    start: int
    end: int
    digits: str
    apart: bool
    """A comma or semicolon stands before it."""


Span = tuple[int, int]
Rule = Callable[[str], list[Span]]


def mark(text: str, kinds: frozenset[Kind]) -> str:
    """The text with a marker such as `[card]` in the place of whatever is found.

    The same object if nothing is. Marking it again changes nothing: it goes on until it finds no
    more, since what is left beside a marker may be a number of its own.
    """
    if ANYTHING.search(text) is None:
        return text
    while (marked := _once(text, kinds)) != text:
        text = marked
    return text


def is_one(digits: str, kinds: frozenset[Kind]) -> Kind | None:
    """What a number is, as a whole: for values that are numbers and not text."""
    is_card = len(digits) in CARD_DIGITS and digits[0] in CARD_FIRST and luhn.is_valid(digits)
    if "card" in kinds and is_card:
        return "card"
    if "ssn" in kinds and _is_ssn(digits):
        return "ssn"
    return "phone" if "phone" in kinds and len(digits) in PHONE_DIGITS else None


def _once(text: str, kinds: frozenset[Kind]) -> str:
    for kind, rule in RULES.items():
        if kind in kinds and (spans := rule(text)):
            text = _replaced(text, spans, f"[{kind}]")
    return text


def _replaced(text: str, spans: Sequence[Span], marker: str) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += text[at:start], marker
        at = end
    return "".join([*parts, text[at:]])


def runs(text: str) -> Iterator[list[Group]]:
    """Every run of digits that is long enough for a rule, as its groups."""
    for run in RUN.finditer(text):
        if run.end() - run.start() < RUN_CHARS_MIN:
            continue
        groups: list[Group] = []
        at = run.start()
        for found in GROUP.finditer(text, run.start(), run.end()):
            apart = "," in text[at : found.start()] or ";" in text[at : found.start()]
            groups.append(Group(found.start(), found.end(), _digits(found[0]), apart))
            at = found.end()
        yield groups


def _digits(said: str) -> str:
    if said.isdecimal():
        return said if said.isascii() else "".join(str(unicodedata.decimal(sign)) for sign in said)
    *repeat, word = said.lower().split()
    return (DIGIT_WORDS.get(word) or _digits(word)) * (REPEATS[repeat[0]] if repeat else 1)


# Cards.


def cards(text: str) -> list[Span]:
    """Numbers of payment cards, each with the few digits that follow it."""
    spans: list[Span] = []
    for groups in runs(text):
        if sum(len(group.digits) for group in groups) >= min(CARD_DIGITS):
            spans += [(groups[a].start, groups[b].end) for a, b in _cards_of(groups)]
    return spans


def _cards_of(groups: Sequence[Group]) -> list[Span]:
    """The first and last group of each stretch that cards touch."""
    digits = "".join(group.digits for group in groups)
    group_of = [at for at, group in enumerate(groups) for _ in group.digits]
    firsts, lasts = _edges(groups)
    is_card = luhn_of(digits)
    found: list[Span] = []
    for start in firsts:
        if digits[start] not in CARD_FIRST:
            continue
        ends = (start + length for length in CARD_DIGITS if start + length in lasts)
        end = next((end for end in ends if is_card(start, end)), None)
        if end is None:
            continue
        first, last = group_of[start], group_of[end - 1]
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    if found:
        found[-1] = (found[-1][0], _with_what_follows(groups, found[-1][1]))
    return found


def _edges(groups: Sequence[Group]) -> tuple[list[int], frozenset[int]]:
    """Where a card may begin, and where it may end, by count of digits."""
    firsts: list[int] = []
    lasts: set[int] = set()
    at = 0
    for group in groups:
        end = at + len(group.digits)
        inside = end - at >= GLUED_DIGITS_MIN
        firsts += range(at, end) if inside else [at]
        lasts.update(range(at + 1, end + 1) if inside else [end])
        at = end
    return firsts, frozenset(lasts)


def _with_what_follows(groups: Sequence[Group], last: int) -> int:
    more = sum(len(group.digits) for group in groups[last + 1 :])
    return len(groups) - 1 if more <= AFTER_CARD_DIGITS_MAX else last


def luhn_of(digits: str) -> Callable[[int, int], bool]:
    """Whether a stretch of these digits has a Luhn checksum: one subtraction a question.

    python-stdnum's walks through the digits for each question; a hostile text asks 100,000.
    """
    plain = [int(digit) for digit in digits]
    doubled = [sum(divmod(2 * digit, 10)) for digit in plain]
    odd = list(accumulate((d if at % 2 else p for at, (p, d) in _both(plain, doubled)), initial=0))
    even = list(accumulate((p if at % 2 else d for at, (p, d) in _both(plain, doubled)), initial=0))

    def holds(start: int, end: int) -> bool:
        sums = odd if end % 2 else even  # The last digit counts once, and it is at `end - 1`.
        return (sums[end] - sums[start]) % 10 == 0

    return holds


def _both(plain: Sequence[int], doubled: Sequence[int]) -> Iterator[tuple[int, Span]]:
    return enumerate(zip(plain, doubled, strict=True))


# Social security numbers.


def ssns(text: str) -> list[Span]:
    """Numbers that are grouped 3-2-4, and nine digits with nothing else near that could be one."""
    spans: list[Span] = []
    for groups in runs(text):
        lengths = [len(group.digits) for group in groups]
        if sum(lengths) >= SSN_DIGITS and lengths != ZIP_CODE:
            parts = _parts(groups)
            plain = [groups_as_one(groups)] if max(lengths) == 1 else parts
            spans += _grouped_ssns(groups) or _grouped_ssns(parts) or _plain_ssns(plain)
    return spans


def _parts(groups: Sequence[Group]) -> list[Group]:
    """What stands between commas, as one group each."""
    parts: list[Group] = []
    for group in groups:
        if parts and not group.apart:
            last = parts[-1]
            parts[-1] = Group(last.start, group.end, last.digits + group.digits, last.apart)
        else:
            parts.append(group)
    return parts


def _grouped_ssns(groups: Sequence[Group]) -> list[Span]:
    """Whatever the digits are: a wrong one may be a slip of the tongue or of the ear."""
    spans: list[Span] = []
    lengths = [len(group.digits) for group in groups]
    for at in range(len(groups) - 2):
        free = not spans or groups[at].start >= spans[-1][1]
        if lengths[at : at + 3] == [3, 2, 4] and free:
            spans.append((groups[at].start, groups[at + 2].end))
    return spans


def _plain_ssns(parts: Sequence[Group]) -> list[Span]:
    return [(part.start, part.end) for part in parts if _is_ssn(part.digits)]


def _is_ssn(digits: str) -> bool:
    return len(digits) == SSN_DIGITS and (ssn.is_valid(digits) or itin.is_valid(digits))


# Phone numbers.


def phones(text: str) -> list[Span]:
    """Whatever could be dialled: no country is known, so the count of digits decides."""
    spans: list[Span] = []
    for groups in runs(text):
        local = [len(group.digits) for group in groups] == LOCAL_NUMBER
        for part in (groups_as_one(groups), *_parts(groups)):
            plus = text[max(0, part.start - 2) : part.start].rstrip("( ").endswith("+")
            lengths = PHONE_DIGITS_AFTER_PLUS if plus else PHONE_DIGITS
            if len(part.digits) in lengths or local:
                start = text.rindex("+", 0, part.start) if plus else part.start
                spans.append((start, part.end))
                if (part.start, part.end) == (groups[0].start, groups[-1].end):
                    break
    return spans


def groups_as_one(groups: Sequence[Group]) -> Group:
    """A whole run."""
    digits = "".join(group.digits for group in groups)
    return Group(groups[0].start, groups[-1].end, digits, groups[0].apart)


# IBANs and addresses.


def ibans(text: str) -> list[Span]:
    """International bank account numbers, in one piece or in groups."""
    spans: list[Span] = []
    at = 0
    while (start := IBAN_START.search(text, at)) is not None:
        end = _end_of_iban(text, start.start(), start[0][:2].upper())
        at = start.end() if end is None else end
        if end is not None:
            spans.append((start.start(), end))
    return spans


def _end_of_iban(text: str, start: int, country: str) -> int | None:
    length = iban_chars(country)
    if length is None:
        return None
    found = IBAN_SIGNS.match(text, start)
    signs = "" if found is None else IBAN_BETWEEN.sub("", found[0])[:length]
    if len(signs) < length or not iban.is_valid(signs, check_country=False):
        return None
    at = start
    for sign in signs:
        at = text.index(sign, at) + 1
    return at


@cache
def iban_chars(country: str) -> int | None:
    """How long a country's IBANs are; None if it has none."""
    known = numdb.get("iban").info(country)[0][1].get("bban")
    return None if known is None else 4 + sum(map(int, re.findall(r"(\d+)!", known)))


def emails(text: str) -> list[Span]:
    """E-mail addresses: from each @ outwards."""
    spans: list[Span] = []
    at = -1
    while (at := text.find("@", at + 1)) >= 0:
        start = at
        while start > max(0, at - LOCAL_CHARS_MAX) and _is_local(text[start - 1]):
            start -= 1
        domain = DOMAIN.match(text, at + 1)
        if start < at and domain is not None:
            start = max(start, spans[-1][1] if spans else 0)
            spans.append((start, domain.end()))
    return spans


def _is_local(sign: str) -> bool:
    return sign.isalnum() or sign in "._%+-'"


RULES: Final[dict[Kind, Rule]] = {
    "email": emails,
    "iban": ibans,
    "card": cards,
    "ssn": ssns,
    "phone": phones,
}
"""In the order in which they are tried: an address or an IBAN may hold a run of digits."""
