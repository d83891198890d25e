import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.neighbour_words import (
    BODY_BYTES_MAX,
    Answer,
    Body,
    Caller,
    Receive,
    Take,
    Told,
    Word,
    decode,
    encode,
)
from trunkline.errors import NeighbourProtocolError

CALLER = Caller("inbound", "+15550100099", "+15550100001")


@pytest.mark.parametrize(
    "body",
    [
        Receive(CALLER),
        Receive(CALLER, "m"),
        Take(CALLER, 7, 3, "0" * 64, 1_000, 2_000),
        Take(CALLER, 7, 3, "0" * 64, 1_000, 2_000, "m", "migrated"),
        Told("completed"),
        Word("live"),
        Word("ended", "<Response/>"),
        Answer("<Response/>"),
        Answer(refused="full"),
    ],
)
def test_what_one_pod_says_another_reads(body: Body) -> None:
    """Whole; and with a field that a later revision adds."""
    assert decode(encode(body), type(body)) == body
    later = {**msgspec.to_builtins(body), "added": [1]}
    assert decode(msgspec.json.encode(later), type(body)) == body


@given(st.binary(max_size=100), st.sampled_from([Receive, Take, Told, Word]))
def test_garbage_is_refused(text: bytes, kind: type[Body]) -> None:
    """Nothing but the protocol's error."""
    with pytest.raises(NeighbourProtocolError):
        decode(text, kind)


@pytest.mark.parametrize(
    "text", [b"[" * 50_000, b'{"status":"' + b"x" * BODY_BYTES_MAX + b'"}', b'{"status":"\xff"}']
)
def test_bombs_are_refused(text: bytes) -> None:
    """Too deep, too long, no UTF-8."""
    with pytest.raises(NeighbourProtocolError):
        decode(text, Told)
