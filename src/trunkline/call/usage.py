"""What a response has used: tokens by their price, made of what the provider says of them.

The kinds of the input add up to all of it, and so do those of the output, whatever the details
say. Of two figures that contradict each other the larger is believed.
"""

from collections.abc import Sequence
from typing import Final

from trunkline.core.costs import Kind
from trunkline.wire.realtime.responses import Usage

TOKENS_MAX: Final = 10_000_000
"""A response has no more of any kind, for no context is so long: what is beyond is not believed."""


def kinds(usage: Usage) -> dict[Kind, int]:
    """Its tokens by kind, those of which there are any. Never negative.

    With no details at all, tokens count as audio: this is a telephone, and audio is the dearer.
    What the details leave out beside others is text: tools described, thoughts not spoken.
    """
    heard = usage.input_token_details
    text, audio, image = _sorted(
        usage.input_tokens, [heard.text_tokens, heard.audio_tokens, heard.image_tokens]
    )
    cached = heard.cached_tokens_details
    text_cached, audio_cached, image_cached = _cached(
        heard.cached_tokens,
        [cached.text_tokens, cached.audio_tokens, cached.image_tokens],
        [text, audio, image],
    )
    made = usage.output_token_details
    text_out, audio_out = _sorted(usage.output_tokens, [made.text_tokens, made.audio_tokens])
    counts = {
        Kind.TEXT_IN: text - text_cached,
        Kind.TEXT_CACHED: text_cached,
        Kind.AUDIO_IN: audio - audio_cached,
        Kind.AUDIO_CACHED: audio_cached,
        Kind.IMAGE_IN: image - image_cached,
        Kind.IMAGE_CACHED: image_cached,
        Kind.TEXT_OUT: text_out,
        Kind.AUDIO_OUT: audio_out,
    }
    return {kind: count for kind, count in counts.items() if count}


def _believed(count: int) -> int:
    return min(max(count, 0), TOKENS_MAX)


def _sorted(total: int, details: Sequence[int]) -> list[int]:
    """The total by modality, text and audio first; what has no modality gets one."""
    counts = [_believed(count) for count in details]
    rest = max(_believed(total) - sum(counts), 0)
    counts[0 if any(counts) else 1] += rest
    return counts


def _cached(total: int, details: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """How many of each modality were in the cache: never more than there are.

    What has no modality is shared out by the size of what is left of each.
    """
    counts = [min(_believed(count), size) for count, size in zip(details, sizes, strict=True)]
    left = [size - count for count, size in zip(counts, sizes, strict=True)]
    rest = min(max(_believed(total) - sum(counts), 0), sum(left))
    room = sum(left)
    for place, size in enumerate(left):
        share = rest * size // room if room else 0
        counts[place] += share
        rest -= share
        room -= size
    return counts
