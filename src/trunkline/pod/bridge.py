"""From uvicorn to picows: how a media socket comes to its protocol.

Uvicorn hands an upgrade to a class of ours, which stays between while the socket is a stranger
and counts its bytes. Once it has a call, picows reads from the transport itself.
"""

import asyncio
import logging
from typing import Final, Protocol, cast

import picows

from trunkline.pod.media import FRAME_BYTES_MAX, MediaHouse, MediaSocket
from trunkline.pod.media_words import Refusal

STRANGER_BYTES_MAX: Final = 64 * 1024
"""All that a socket may send until it has a call, its request included; `connected` and `start`
have some 2 KiB. At one byte more it is cut: nobody makes us parse, join or answer for nothing."""

READ_BUFFER_BYTES: Final = 16 * 1024
"""What a socket's reading begins with; it grows to its longest frame."""


class _PicowsProtocol(Protocol):
    """picows' own protocol class, which its stubs leave out."""

    listener: picows.WSListener | None

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def get_buffer(self, sizehint: int) -> memoryview: ...
    def buffer_updated(self, nbytes: int) -> None: ...


class _MakesProtocol(Protocol):
    def __call__(self, *settings: object) -> _PicowsProtocol: ...


_LOG: Final = logging.getLogger("picows.media")


def _make_picows(house: MediaHouse) -> _PicowsProtocol:
    make = cast("_MakesProtocol", picows.picows.WSProtocol)  # type: ignore[attr-defined]  # no stub
    return make(
        None,  # host and port: a client's
        None,  # path: a client's
        False,
        house.answer,
        _LOG,
        True,  # disconnect on an exception of ours
        None,  # no wait for the upgrade: uvicorn has read it whole
        False,  # no pings of ours: frames flow every 20 ms
        20.0,
        20.0,
        picows.WSAutoPingStrategy.PING_WHEN_IDLE,
        False,  # we answer pings: picows' answers to a peer that does not read pile up
        FRAME_BYTES_MAX,
        None,
        READ_BUFFER_BYTES,
    )


def media_protocol(house: MediaHouse) -> type[asyncio.Protocol]:
    """Make the class that uvicorn's `ws` setting takes.

    Uvicorn makes an instance for each upgrade, hands it the transport and the request's head
    again, and sets it as the transport's protocol.
    """

    class MediaProtocol(asyncio.Protocol):
        def __init__(self, **_uvicorn: object) -> None:
            self._transport: asyncio.Transport | None = None
            self._is_stranger = True
            self._bytes_left = STRANGER_BYTES_MAX
            self._picows = _make_picows(house)

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = cast("asyncio.Transport", transport)
            self._picows.connection_made(transport)

        def data_received(self, data: bytes) -> None:
            view = memoryview(data)
            while view:
                if self._is_stranger and not self._bytes_left:
                    self._turn_away()
                    return
                buffer = memoryview(self._picows.get_buffer(len(view))).cast("B")
                taken = min(len(buffer), len(view))
                if self._is_stranger:
                    taken = min(taken, self._bytes_left)
                    self._bytes_left -= taken
                buffer[:taken] = view[:taken]
                self._picows.buffer_updated(taken)
                view = view[taken:]
                if self._is_stranger:
                    self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            self._picows.connection_lost(exc)

        def _look(self) -> None:
            """Whether the socket has its call by now: then picows reads for itself."""
            listener = self._picows.listener
            if isinstance(listener, MediaSocket) and listener.has_call:
                assert self._transport is not None
                self._is_stranger = False
                # Not at once: uvicorn may be about to set this object as the protocol.
                reader = cast("asyncio.BaseProtocol", self._picows)
                asyncio.get_running_loop().call_soon(self._transport.set_protocol, reader)

        def _turn_away(self) -> None:
            assert self._transport is not None
            listener = self._picows.listener
            if isinstance(listener, MediaSocket):
                listener.refuse(Refusal.PROTOCOL)
            self._transport.abort()

    return MediaProtocol
