"""Texts that no codec may stumble over."""

from collections.abc import Iterator

from hypothesis import strategies as st

DEPTH = 100_000

TEXTS: dict[str, bytes | str] = {
    "nothing": b"",
    "space": b" \n",
    "NUL": b"\0",
    "a byte-order mark": b'\xef\xbb\xbf{"event":"connected","type":"error"}',
    "no UTF-8": b'{"event":"mark","type":"error","streamSid":"\xff","error":{"message":"\xff"}}',
    "UTF-16": '{"event":"connected","type":"error"}'.encode("utf-16"),
    "half a character, escaped": b'{"event":"\\ud800","type":"\\ud800"}',
    "half a character": '{"event":"\ud800","type":"\ud800"}',
    "lists without end": b"[" * DEPTH,
    "objects without end": b'{"event":' * DEPTH,
    "types without end": b'{"type":' * DEPTH,
    "a bomb in a known event": b'{"event":"media","type":"error","error":' + b"[" * DEPTH,
    "a bomb in a field nobody reads": b'{"event":"connected","type":"error","x":'
    + b"[" * 30_000
    + b"]" * 30_000
    + b"}",
    "a bomb beside an unknown event": b'{"event":"x","type":"x","y":' + b"[" * 30_000,
    "trailing garbage": b'{"event":"connected","type":"input_audio_buffer.clear"} x',
    "two objects": b'{"event":"connected","type":"error"}{"event":"connected","type":"error"}',
    "a string": b'"media"',
    "a number": b"1e999",
    "not a number": b"NaN",
    "a list": b'["media"]',
    "no kind": b"{}",
    "a kind that is a number": b'{"event":1,"type":1}',
    "a kind that is null": b'{"event":null,"type":null}',
    "a kind that is an object": b'{"event":{"event":"media"},"type":{"type":"error"}}',
    "single quotes": b"{'event':'connected','type':'error'}",
}

leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
names = st.sampled_from(["event", "type", "media", "start", "session", "item", "response"])
json_like = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
"""Trees of the right words in the wrong places."""

garbage = st.binary(max_size=60) | st.text(max_size=60)


def cuts(text: bytes) -> Iterator[bytes]:
    """The text, ended before each of its bytes."""
    return (text[:end] for end in range(len(text)))
