"""Tokens by their price, of what a provider says it has billed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.call.usage import TOKENS_MAX, kinds
from trunkline.core.costs import Kind
from trunkline.wire.realtime.responses import CachedTokens, InputTokens, OutputTokens, Usage

CACHED = {Kind.TEXT_CACHED, Kind.AUDIO_CACHED, Kind.IMAGE_CACHED}
OUTPUT = {Kind.TEXT_OUT, Kind.AUDIO_OUT}

ANY = st.one_of(st.integers(0, 300), st.integers(-(10**20), 10**20))
SMALL = st.integers(0, 5000)


@st.composite
def honest(draw: st.DrawFn) -> Usage:
    """What adds up."""
    text, audio, image = draw(SMALL), draw(SMALL), draw(SMALL)
    cached = [draw(st.integers(0, size)) for size in (text, audio, image)]
    made = draw(SMALL), draw(SMALL)
    details = CachedTokens(*cached) if draw(st.booleans()) else CachedTokens()
    return Usage(
        text + audio + image + sum(made),
        text + audio + image,
        sum(made),
        InputTokens(text, audio, sum(cached), image, details),
        OutputTokens(*made),
    )


HOSTILE = st.builds(
    Usage,
    ANY,
    ANY,
    ANY,
    st.builds(InputTokens, ANY, ANY, ANY, ANY, st.builds(CachedTokens, ANY, ANY, ANY)),
    st.builds(OutputTokens, ANY, ANY),
)


def sums(usage: Usage) -> tuple[int, int, int]:
    """The input's tokens, those of them that were cached, and the output's."""
    counts = kinds(usage)
    made = sum(count for kind, count in counts.items() if kind in OUTPUT)
    cached = sum(count for kind, count in counts.items() if kind in CACHED)
    return sum(counts.values()) - made, cached, made


@given(honest())
def test_kinds_add_up_to_what_was_billed(usage: Usage) -> None:
    """Cached tokens are contained in the input's, whether they have details or not."""
    cached = usage.input_token_details.cached_tokens
    assert sums(usage) == (usage.input_tokens, cached, usage.output_tokens)


@given(honest())
def test_each_modality_keeps_its_count(usage: Usage) -> None:
    """Its cached and its other tokens are all of them."""
    counts, details = kinds(usage), usage.input_token_details
    for fresh, cached, count in (
        (Kind.TEXT_IN, Kind.TEXT_CACHED, details.text_tokens),
        (Kind.AUDIO_IN, Kind.AUDIO_CACHED, details.audio_tokens),
        (Kind.IMAGE_IN, Kind.IMAGE_CACHED, details.image_tokens),
    ):
        assert counts.get(fresh, 0) + counts.get(cached, 0) == count


@given(HOSTILE)
def test_nothing_a_provider_says_makes_a_negative_count(usage: Usage) -> None:
    """Nor one beyond a float's whole numbers; and no more is cached than was sent."""
    counts = kinds(usage)
    assert all(0 < count <= 3 * TOKENS_MAX for count in counts.values())
    assert sum(counts.values()) <= 5 * TOKENS_MAX
    sent, cached, _ = sums(usage)
    assert 0 <= cached <= sent


@given(HOSTILE)
def test_no_total_is_understated(usage: Usage) -> None:
    """Of a total and its details that contradict it, the larger is believed."""
    sent, _, made = sums(usage)
    assert sent >= min(usage.input_tokens, TOKENS_MAX)
    assert made >= min(usage.output_tokens, TOKENS_MAX)
    assert sent >= min(usage.input_token_details.audio_tokens, TOKENS_MAX)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(), {}),
        # No details at all: a telephone's tokens are audio.
        (
            Usage(30, 20, 10, InputTokens(cached_tokens=5)),
            {Kind.AUDIO_IN: 15, Kind.AUDIO_CACHED: 5, Kind.AUDIO_OUT: 10},
        ),
        # What the details leave out beside others is text, such as thoughts that were not spoken.
        (
            Usage(60, 20, 40, InputTokens(5, 10), OutputTokens(3, 7)),
            {Kind.TEXT_IN: 10, Kind.AUDIO_IN: 10, Kind.TEXT_OUT: 33, Kind.AUDIO_OUT: 7},
        ),
        # Cached tokens without a modality are shared out by size.
        (
            Usage(40, 40, 0, InputTokens(10, 30, 20)),
            {Kind.TEXT_IN: 5, Kind.TEXT_CACHED: 5, Kind.AUDIO_IN: 15, Kind.AUDIO_CACHED: 15},
        ),
        # With one, they are not.
        (
            Usage(40, 40, 0, InputTokens(10, 30, 20, 0, CachedTokens(10, 10))),
            {Kind.TEXT_CACHED: 10, Kind.AUDIO_IN: 20, Kind.AUDIO_CACHED: 10},
        ),
        # More in the cache than there was.
        (Usage(4, 4, 0, InputTokens(4, 0, 9)), {Kind.TEXT_CACHED: 4}),
    ],
)
def test_what_is_missing_or_contradicts(usage: Usage, expected: dict[Kind, int]) -> None:
    """Each doubt has its rule."""
    assert kinds(usage) == expected
