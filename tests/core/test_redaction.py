import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.facts import (
    AgentHeard,
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallReceived,
    DigitsPressed,
    DigitsSent,
    Fact,
    Outcome,
    ToolCalled,
    ToolFinished,
    TransferOrdered,
)
from trunkline.core.kinds import DEFAULT_KINDS, KINDS, Kind
from trunkline.core.redaction import TEXT_CHARS_MAX, Redactor, sure_part

CARD = "4111 1111 1111 1111"
BY_DEFAULT = Redactor(DEFAULT_KINDS)
ALL = Redactor(KINDS)


def called(arguments: str, name: str = "pay") -> ToolCalled:
    return ToolCalled("call_1", name, arguments)


def finished(output: str) -> ToolFinished:
    return ToolFinished("call_1", "pay", ok=True, output=output, took_ms=5)


@pytest.mark.parametrize(
    ("fact", "kept"),
    [
        (CallerSaid("item_1", f"It is {CARD}."), CallerSaid("item_1", "It is [card].")),
        (
            AgentSaid("item_2", "desk", f"So {CARD}, right?", f"So {CARD}, right?", 900, 900),
            AgentSaid("item_2", "desk", "So [card], right?", "So [card], right?", 900, 900),
        ),
        (
            AgentHeard("item_2", "desk", f"So {CARD}, right?", 900, 700),
            AgentHeard("item_2", "desk", "So [card], right?", 900, 700),
        ),
        (called(f'{{"card": "{CARD}"}}'), called('{"card": "[card]"}')),
        (finished(f"no such card: {CARD}"), finished("no such card: [card]")),
        (DigitsPressed("4111111111111111#"), DigitsPressed("[card]#")),
        (DigitsSent("4111111111111111"), DigitsSent("[card]")),
    ],
)
def test_free_text_is_redacted_wherever_it_is(fact: Fact, kept: Fact) -> None:
    """What was said, what tools were told and answered, keys; the rest of the fact stays."""
    assert BY_DEFAULT.redact(fact) == kept


@pytest.mark.parametrize(
    "fact",
    [
        CallerSaid("item_1", "Good morning, one moment."),
        AgentSaid("item_2", "desk", "Yes?", "Yes", 900, 700),
        AgentHeard("item_2", "desk", "", 900, 700),
        called('{"day": "monday", "at": 9.5}'),
        finished('{"free": ["09:20", 17]}'),
        DigitsPressed("1"),
        DigitsSent("12#"),
        CallReceived("inbound", "+15550100001", "+15550100002", "desk", "clinic", "health", "p"),
        TransferOrdered("nurse", "+15550100031"),
        CallEnded(Outcome.CALLER_ENDED, "stop"),
    ],
)
def test_a_fact_with_nothing_in_it_is_the_same_object(fact: Fact) -> None:
    """Most are: they cost no copy. Who called whom stays: retention and `forget` see to that."""
    assert BY_DEFAULT.redact(fact) is fact


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        ("So 4111 1111", "So [card]"),
        ("So 4111 1111 1111 1111", "So [card]"),
        ("So", "So"),
        ("", ""),
        ("4111 1111 1111", "4111 1111 1111"),
    ],
)
def test_a_number_that_was_broken_into_is_not_kept_in_part(heard: str, kept: str) -> None:
    """The caller heard half of it; half of it is not in the record either."""
    fact = BY_DEFAULT.redact(AgentSaid("i", "desk", f"So {CARD}, right?", heard, 900, 300))
    assert isinstance(fact, AgentSaid)
    assert fact.heard_text == kept
    assert BY_DEFAULT.redact(fact) is fact


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"card":4111111111111111,"n":1.50}', '{"card":"[card]","n":1.50}'),
        ('{"card": 4111111111111111.0}', '{"card": "[card]"}'),
        ('{"a":"\\u0034111111111111111"}', '{"a":"[card]"}'),
        ('{"a":"4111111111111111","a":"x"}', '{"a":"[card]","a":"x"}'),
        ('{"4111111111111111":[{}]}', '{"[card]":[{}]}'),
        ('["4111111111111111\\ud800"]', '["[card]\\ud800"]'),
        ("4111111111111111", '"[card]"'),
        ('{"at_ms":1767225600123}', '{"at_ms":1767225600123}'),
        ('{"card": "4111111111111111', '{"card": "[card]'),
        ('{"n":' + "7" * 5000 + "}", '{"n":' + "7" * 5000 + "}"),
    ],
)
def test_json_stays_json(text: str, kept: str) -> None:
    """Its form too: order, doubled names, spaces. What was none is text."""
    assert BY_DEFAULT.redact(finished(text)) == finished(kept)


def test_brackets_without_end_are_no_trap() -> None:
    """Deeper than any parser goes."""
    deep = "[" * 20_000 + '"4111111111111111"' + "]" * 20_000
    assert BY_DEFAULT.text_or_json(deep) == deep.replace("4111111111111111", "[card]")


@pytest.mark.parametrize(
    ("start", "kept"),
    [
        ("{", '{"[too long]": true}'),
        ("[", '["[too long]"]'),
        ('"', '"[too long]"'),
        ("w", "[too long]"),
    ],
)
def test_what_is_too_long_to_look_through_is_not_kept(start: str, kept: str) -> None:
    """A text of unbounded length would hold up every other call."""
    assert ALL.text_or_json(start + "x" * TEXT_CHARS_MAX) == kept
    assert ALL.text("x" * (TEXT_CHARS_MAX + 1)) == "[too long]"


def test_keys_go_whole_where_a_tenant_wants_it() -> None:
    """Any key may be a part of a code; the tool that presses keys holds them too."""
    keys = Redactor(frozenset({"digits"}))
    assert keys.redact(DigitsPressed("1")) == DigitsPressed("[digits]")
    assert keys.redact(DigitsSent("12#")) == DigitsSent("[digits]")
    sent = keys.redact(called('{"digits": "1234"}', "send_digits"))
    assert sent == called('{"digits": "[digits]"}', "send_digits")
    assert keys.redact(sent) is sent
    assert keys.redact(fact := CallerSaid("i", "one two three")) is fact


TEXTS = st.lists(
    st.sampled_from([*'0123456789,.- @[]+"{}:\\', "4111 1111 1111 1111", "one ", "b."])
).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
).map(json.dumps)
OUTPUTS = TEXTS | JSON
FACTS = st.one_of(
    TEXTS.map(lambda text: CallerSaid("i", text)),
    st.tuples(TEXTS, st.integers(0, 100)).map(
        lambda said: AgentSaid("i", "desk", said[0], said[0][: said[1]].rstrip(), 9, 5)
    ),
    OUTPUTS.map(called),
    OUTPUTS.map(finished),
    TEXTS.map(DigitsPressed),
    TEXTS.map(DigitsSent),
)


@given(FACTS, st.frozensets(st.sampled_from(sorted(KINDS))))
def test_twice_is_once(fact: Fact, kinds: frozenset[Kind]) -> None:
    """And what comes out is a fact of the same kind, fit to be stored."""
    redactor = Redactor(kinds)
    once = redactor.redact(fact)
    assert redactor.redact(once) is once
    assert msgspec.json.decode(msgspec.json.encode(once), type=type(fact)) == once


@given(OUTPUTS)
def test_json_is_still_read_afterwards(output: str) -> None:
    """By the parser that read it before."""
    try:
        json.loads(output)
    except ValueError:
        return
    json.loads(ALL.text_or_json(output))


@pytest.mark.parametrize(
    ("growing", "sure"),
    [
        ("", ""),
        ("Goo", ""),
        ("Good morn", "Good"),
        ("Good morning ", "Good morning"),
        ("Your card is 4111 1111 11", "Your card is"),
        ("It is four, one, double one ", "It is"),
        ("Write to ann@example.com and", "Write to"),
        ("Pay to GB29 NWBK 6016", "Pay to"),
        ("Your card is 4111 1111 1111 1111, yes? A", "Your card is 4111 1111 1111 1111, yes?"),
    ],
)
def test_words_that_still_come_are_sure_before_what_may_go_on(growing: str, sure: str) -> None:
    """A number that is not whole yet could not be told from one that must not be kept."""
    assert sure_part(growing) == sure


@pytest.mark.parametrize(
    "said",
    [
        f"So the card is {CARD}, is it?",
        "It is four one one one, one one one one, one one one one, one one one one. Right?",
        "We pay to GB29 NWBK 6016 1331 9268 19 tomorrow, fine?",
        "Is ann.lee@example.com right, then?",
        "Call +1 555 010 0001 now, please.",
    ],
)
def test_no_beginning_of_words_keeps_a_part_of_what_must_be_out(said: str) -> None:
    """Wherever the words stop, what is sure of them is redacted as the whole is."""
    kept = ALL.text(said)
    assert "[" in kept
    for at in range(len(said) + 1):
        assert kept.startswith(ALL.text(sure_part(said[:at])))
