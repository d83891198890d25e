import base64
import hashlib
import hmac
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.tickets import (
    TEXT_CHARS_MAX,
    TICKET_LIFE_MS,
    ResumeToken,
    Ticket,
    TicketFault,
    is_expired,
    read_resume_token,
    read_ticket,
    sign,
)

KEY = b"a key of some thirty-two octets."
OTHER_KEY = b"A key of some thirty-two octets."
CALL = CallSid("CA" + "0123456789abcdef" * 2)
TICKET = Ticket(CALL, Epoch(1_767_225_600_123), PodName("pod-0"), Incarnation("9f3b"), 1_767_225)
TOKEN = ResumeToken(TICKET.call, TICKET.epoch, TICKET.pod, TICKET.incarnation)

calls = st.from_regex(r"CA[0-9a-f]{32}", fullmatch=True).map(CallSid)
epochs = st.integers(0, 2**53).map(Epoch)
pods = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).map(PodName)
incarnations = st.from_regex(r"[0-9a-f]{1,32}", fullmatch=True).map(Incarnation)
tickets = st.builds(Ticket, calls, epochs, pods, incarnations, st.integers(0, 2**53))
tokens = st.builds(ResumeToken, calls, epochs, pods, incarnations)
keys = st.binary(min_size=16, max_size=64)


def seal(signed: str, key: bytes = KEY) -> str:
    mac = base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), hashlib.sha256))
    return f"{signed}.{mac.rstrip(b'=').decode()}"


@given(tickets, keys)
def test_a_ticket_is_read_as_it_was_signed(ticket: Ticket, key: bytes) -> None:
    """Whole, with its own key, and the same text each time."""
    text = sign(ticket, key)
    assert read_ticket(text, key) == ticket
    assert sign(replace(ticket), key) == text


@given(tokens, keys)
def test_a_token_is_read_as_it_was_signed(token: ResumeToken, key: bytes) -> None:
    """Whole, with its own key, and the same text each time."""
    text = sign(token, key)
    assert read_resume_token(text, key) == token
    assert sign(replace(token), key) == text


@given(st.one_of(tickets, tokens))
def test_the_text_travels(ticket: Ticket | ResumeToken) -> None:
    """Unescaped in a URL's path, in XML, and within Twilio's limit for a parameter."""
    text = sign(ticket, KEY)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", text)
    assert len(text) + len("ticket") < 500
    assert len(text) <= TEXT_CHARS_MAX


def test_the_form_stays() -> None:
    """A pod of the next revision reads this one's tickets: the text is pinned."""
    assert sign(TICKET, KEY) == (
        "t1.WyJDQTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwxNzY3MjI1NjAwMTIzLCJwb2QtMCIsIjlm"
        "M2IiLDE3NjcyMjVd." + seal(sign(TICKET, KEY).rpartition(".")[0]).rpartition(".")[2]
    )


@given(tickets, st.integers(min_value=0), st.integers(0, 6))
def test_no_bit_may_flip(ticket: Ticket, place: int, bit: int) -> None:
    """Any single bit of the text changed: refused, never read as something else."""
    text = bytearray(sign(ticket, KEY).encode())
    text[place % len(text)] ^= 1 << bit
    assert isinstance(read_ticket(text.decode(), KEY), TicketFault)


@given(tickets, st.data())
def test_no_character_may_go_or_come(ticket: Ticket, data: st.DataObject) -> None:
    """A text cut anywhere, or with anything added, is refused."""
    text = sign(ticket, KEY)
    cut = data.draw(st.integers(0, len(text) - 1))
    assert isinstance(read_ticket(text[:cut], KEY), TicketFault)
    extra = data.draw(st.text(min_size=1, max_size=3))
    longer = text[:cut] + extra + text[cut:]
    assert isinstance(read_ticket(longer, KEY), TicketFault)
    assert isinstance(read_ticket(text + extra, KEY), TicketFault)


@given(tickets, keys)
def test_a_foreign_key_is_refused(ticket: Ticket, key: bytes) -> None:
    """A ticket of another installation is forged, here."""
    if key != KEY:
        assert read_ticket(sign(ticket, key), KEY) is TicketFault.FORGED


@given(st.text(max_size=600))
def test_any_text_is_answered(text: str) -> None:
    """Nothing raises, lone surrogates and all."""
    assert isinstance(read_ticket(text, KEY), TicketFault)
    assert isinstance(read_resume_token(text, KEY), TicketFault)


def test_a_ticket_is_no_token() -> None:
    """Ours and whole, and still refused; renamed, its signature fails."""
    ticket, token = sign(TICKET, KEY), sign(TOKEN, KEY)
    assert read_resume_token(ticket, KEY) is TicketFault.WRONG_KIND
    assert read_ticket(token, KEY) is TicketFault.WRONG_KIND
    assert read_resume_token("r" + ticket[1:], KEY) is TicketFault.FORGED
    assert read_ticket("t" + token[1:], KEY) is TicketFault.FORGED
    assert read_resume_token(ticket, OTHER_KEY) is TicketFault.FORGED


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", TicketFault.MALFORMED),
        (".", TicketFault.MALFORMED),
        ("..", TicketFault.MALFORMED),
        ("t1", TicketFault.MALFORMED),
        ("t1.", TicketFault.MALFORMED),
        ("t1..", TicketFault.FORGED),
        ("t.a.b", TicketFault.MALFORMED),
        ("tx.a.b", TicketFault.MALFORMED),
        ("x1.a.b", TicketFault.MALFORMED),
        ("t2.a.b", TicketFault.UNKNOWN_VERSION),
        ("r17.a.b", TicketFault.UNKNOWN_VERSION),
        ("t1.é.b", TicketFault.MALFORMED),
        ("t1." + "a" * TEXT_CHARS_MAX, TicketFault.MALFORMED),
        (sign(TICKET, KEY) + "=", TicketFault.FORGED),
        (sign(TICKET, KEY) + ".", TicketFault.FORGED),
        (seal("t1.e30"), TicketFault.MALFORMED),
        (seal("t1.W10"), TicketFault.MALFORMED),
        (seal("t1.____"), TicketFault.MALFORMED),
        (seal("t1." + base64.urlsafe_b64encode(b'["CA",1,"p","i"]  ').decode()), "malformed"),
    ],
)
def test_wrong_texts(text: str, fault: TicketFault) -> None:
    """Each has its reason, also where the signature is right and the body is not."""
    assert read_ticket(text, KEY) == fault


def test_a_token_with_a_wrong_body_is_malformed() -> None:
    """As for tickets: a signature makes no body right."""
    assert read_resume_token(seal("r1.W10"), KEY) is TicketFault.MALFORMED


@pytest.mark.parametrize(
    ("age_ms", "expired"),
    [
        (0, False),
        (TICKET_LIFE_MS, False),
        (TICKET_LIFE_MS + 1, True),
        (-TICKET_LIFE_MS, False),
        (-TICKET_LIFE_MS - 1, True),
    ],
)
def test_a_ticket_lives_thirty_seconds(age_ms: int, *, expired: bool) -> None:
    """To the millisecond; one from too far in the future is no better."""
    assert is_expired(TICKET, TICKET.issued_at_ms + age_ms) is expired


def test_what_cannot_travel_is_our_own_fault() -> None:
    """A weak key and a name too long are refused where tickets are made."""
    with pytest.raises(AssertionError):
        sign(TICKET, b"short")
    with pytest.raises(AssertionError):
        sign(replace(TICKET, pod=PodName("p" * 400)), KEY)
