"""What pods say to each other about one call: JSON bodies between internal ports.

A pod of the neighbour revision reads and writes them too: fields are added with a default, and
what is not known is skipped.
"""

from typing import Final, Literal, TypeVar

import msgspec

from trunkline.errors import NeighbourProtocolError

BODY_BYTES_MAX: Final = 64 * 1024
"""A longer body is refused before it is read."""


class Caller(msgspec.Struct, frozen=True):
    """Whose call it is, as its webhook said."""

    direction: Literal["inbound", "outbound"]
    from_number: str
    to_number: str


class Receive(msgspec.Struct, frozen=True):
    """Answer this call: it has a slot on your pod, and counts with this model."""

    caller: Caller
    model: str = ""


class Take(msgspec.Struct, frozen=True):
    """Go on with this call under `epoch`: its journal ends with fact `seq`, whose hash is `head`.

    Times in ms since 1970 by Redis time: when the epoch began, and now. `cause` is a
    `core.facts.ResumeCause`, `from_pod` who carried it.
    """

    caller: Caller
    epoch: int
    seq: int
    head: str
    opened_at_ms: int
    now_ms: int
    model: str = ""
    cause: str = "pod_lost"
    from_pod: str = ""


class Told(msgspec.Struct, frozen=True):
    """The carrier told another pod of this call's end: `status` is its word."""

    status: str


class Word(msgspec.Struct, frozen=True):
    """What a pod knows of a call. `document` is what its redirect gets where it has ended.

    `streaming`: a stream carries it now. `epoch`: the present one of a live call; `former`: the one
    whose token the carrier has, where that is another.
    """

    state: Literal["live", "ended", "unknown"]
    document: str = ""
    streaming: bool = False
    epoch: int = 0
    former: int = 0


class Answer(msgspec.Struct, frozen=True):
    """The call's next document; without one, `refused` says why."""

    document: str = ""
    refused: str = ""


Body = Receive | Take | Told | Word | Answer

B = TypeVar("B", bound=Body)


def encode(body: Body) -> bytes:
    """The JSON text."""
    return msgspec.json.encode(body)


def decode(text: bytes, kind: type[B]) -> B:
    """Read a body.

    Raises:
        NeighbourProtocolError: it is no such body.
    """
    if len(text) > BODY_BYTES_MAX:
        raise NeighbourProtocolError("too long")
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NeighbourProtocolError("no such body") from error
