import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.telemetry.scrub import ADDRESS, NUMBER, SECRET, TEXT_CHARS_MAX, scrub


@pytest.mark.parametrize(
    "number",
    [
        "+15550100001",
        "+1 555 010 0001",
        "+1 (555) 010-0001",
        "+1-555-010-0001",
        "+49 30 5550100",
        "+1234567",
        "+123456789012345",
        "+1234567890123456789",
        "%2B15550100001",
        "%2b15550100001",
        "15550100001",
        "5550100001",
        "(555) 010-0001",
        "555-010-0001",
        "555.010.0001",
    ],
)
@pytest.mark.parametrize("around", ["{}", "from {} to", "From={}&To", "sip:{}@x.example", "'{}'"])
def test_numbers_are_masked(number: str, around: str) -> None:
    """However they are written, wherever they stand: not four digits in a row are left."""
    text = scrub(around.format(number))
    assert NUMBER in text or ADDRESS in text
    assert sum(character.isdigit() for character in text) < 4


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.def", "abc"),
        ("bearer abcdef", "abcdef"),
        ("Basic QUM6dG9rZW4=", "QUM6"),
        ("redis://user:pa55word@host/0", "pa55word"),
        ("https://x/y?token=abcdef&z=1", "abcdef"),
        ('{"api_key": "abcdef"}', "abcdef"),
        ("auth_token=abcdef", "abcdef"),
        ("PASSWORD: abcdef", "abcdef"),
        ("X-Twilio-Signature: abcdef", "abcdef"),
        ("refused sk-proj-abcdefgh123", "abcdefgh"),
        ("eyJhbGciOi.eyJzdWIiOi.abcdef", "abcdef"),
        ("/twilio/resume/r1.WyJDQTEyMzQ1Njc4OTAi.kJ3vabcdef", "kJ3vabcdef"),
        ("somebody.else@mail.example.com", "somebody"),
    ],
)
def test_secrets_are_masked(text: str, secret: str) -> None:
    """Headers, pairs, URLs, keys and tickets by their shape."""
    clean = scrub(text)
    assert secret not in clean
    assert SECRET in clean or ADDRESS in clean


@pytest.mark.parametrize(
    "text",
    [
        "CA01234567890123456789012345678912",
        "MZ" + "12345678" * 4,
        "0b0f7a5e-1234-4321-9876-123456789012",
        "pod-0",
        "2026-11-23T08:29:10.888Z",
        "2026-11-23T08:29:10+00:00",
        "10.42.17.230:8081",
        "machine.py:80 receive < runner.py:171 feed",
        "no answer within 2000 ms",
        "code 31951",
        "trunkline 0.1.0",
        "",
    ],
)
def test_what_operators_need_stays(text: str) -> None:
    """Ids, times, addresses of machines, places in code."""
    assert scrub(text) == text


@given(st.text(max_size=300))
def test_a_masked_text_stays_as_it_is(text: str) -> None:
    """Scrubbed twice is scrubbed once, or it had left something."""
    once = scrub(text)
    assert scrub(once) == once


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), st.text(max_size=20), st.text())
def test_no_number_passes(number: str, before: str, after: str) -> None:
    """E.164 in any company."""
    assert number not in scrub(before + number + after)


@pytest.mark.parametrize("piece", ["+1", "1 ", "a@", "a", "token", "//", "eyJ.", "(5", "1.", "- "])
def test_a_long_text_takes_no_time(piece: str) -> None:
    """It is cut first, and no expression goes back and forth over it: the loop waits for this."""
    text = piece * 100_000
    started = time.thread_time()
    assert len(scrub(text)) <= 4 * TEXT_CHARS_MAX
    assert time.thread_time() - started < 0.1
