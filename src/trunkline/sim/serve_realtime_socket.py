"""The socket of one session of the realtime simulator: its machine decides, here it is done."""

import asyncio
import math
import socket
import struct
import time
from typing import Final, Protocol, assert_never

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from trunkline.sim.pacer import Pacer
from trunkline.sim.realtime.machine import Close, Output, RealtimeServer, Reset, Send
from trunkline.wire.realtime import client, server

UNSENT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A client that leaves more unread is cut off: it would only grow."""
CLOSE_S_MAX: Final = 2.0
"""From our close frame to the client's; then the connection is aborted."""
REASON_BYTES_MAX: Final = 123
"""A close frame has room for no more."""

_TEXT: Final = WSMsgType.TEXT


class Host(Protocol):
    """What a connection needs of the simulator it belongs to."""

    pacer: Pacer

    def opened(self, connection: "Connection") -> None:
        """A handshake was accepted."""
        ...

    def closed(self, connection: "Connection") -> None:
        """A socket is gone."""
        ...


class Connection(WSListener):
    """One WebSocket and its machine, ticked by the simulator's one timer.

    The clock is `time.monotonic`, as the carrier's: uvloop's own counts whole milliseconds.
    """

    def __init__(self, sim: Host, machine: RealtimeServer) -> None:
        self.machine = machine
        self.transport: WSTransport | None = None
        self._sim = sim
        self._loop = asyncio.get_running_loop()
        self.armed_at = math.inf
        self._abort: asyncio.TimerHandle | None = None
        self._pieces = bytearray()
        self._cut_off = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is over: the session begins."""
        self.transport = transport
        self._sim.opened(self)
        self._perform(self.machine.start(time.monotonic()))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The client sent a frame."""
        kind = frame.msg_type
        if transport.is_close_frame_sent and kind is not WSMsgType.CLOSE:
            return
        if kind is _TEXT and frame.fin:  # The usual case.
            outputs = self.machine.receive(frame.get_payload_as_bytes(), time.monotonic())
            if outputs:  # Without, no deadline has changed either.
                self._perform(outputs)
            return
        match kind:
            case WSMsgType.TEXT | WSMsgType.CONTINUATION:
                self._collect(frame)
            case WSMsgType.BINARY:
                self.machine.record.errors["binary_frame"] += 1
                self._close(WSCloseCode.UNSUPPORTED_DATA.value, "events are text")
            case WSMsgType.CLOSE:
                code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big") or None
                self.machine.lost(time.monotonic(), code, "the client closed")
                if not transport.is_close_frame_sent:
                    transport.send_close(WSCloseCode.OK)
                transport.disconnect()
            case _:
                pass

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' shape
        """The socket is gone."""
        self.machine.lost(time.monotonic(), 1006, "the connection broke")
        if self._abort is not None:
            self._abort.cancel()
            self._abort = None
        self._sim.closed(self)

    def pause_writing(self) -> None:
        """The client reads too slowly; how much it leaves unread is bounded in `_write`."""

    def expire(self) -> None:
        """End the session as if its time were over."""
        self._perform(self.machine.expire())

    def stall(self) -> None:
        """Answer nothing from now on."""
        self.machine.stall()
        self._sim.pacer.arm(self)

    def reset(self) -> None:
        """Reset the TCP connection."""
        self._perform([Reset()])

    def shut(self) -> None:
        """The simulator goes away."""
        self._close(WSCloseCode.GOING_AWAY.value, "the simulator stops")

    def _collect(self, frame: WSFrame) -> None:
        """Join an event that comes in fragments."""
        self._pieces += frame.get_payload_as_bytes()
        if len(self._pieces) > client.MESSAGE_BYTES_MAX:
            self.machine.record.errors["message_too_big"] += 1
            self._close(WSCloseCode.MESSAGE_TOO_BIG.value, "event too long")
        elif frame.fin:
            whole, self._pieces = bytes(self._pieces), bytearray()
            self._perform(self.machine.receive(whole, time.monotonic()))

    def deadline(self) -> float | None:
        """When `tick` must come."""
        return self.machine.deadline()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._perform(self.machine.tick(now))

    def _perform(self, outputs: list[Output]) -> None:
        assert self.transport is not None
        for output in outputs:
            match output:
                case Send(event):
                    self._write(event)
                case Close(code, reason):
                    self._close(code, reason)
                case Reset():
                    _reset(self.transport)
                case _:
                    assert_never(output)
        self._sim.pacer.arm(self)

    def _write(self, event: server.ToClient) -> None:
        assert self.transport is not None
        if self._cut_off:
            return
        self.transport.send(_TEXT, server.encode(event))
        if self.transport.underlying_transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self._cut_off = True
            self.machine.record.errors["client_reads_too_slowly"] += 1
            self.machine.lost(time.monotonic(), 1006, "the client does not read")
            self.transport.disconnect(graceful=False)

    def _close(self, code: int, reason: str) -> None:
        transport = self.transport
        if transport is None or transport.is_disconnected or transport.is_close_frame_sent:
            return
        self.machine.lost(time.monotonic(), code, reason)
        text = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        # picows writes any code; its type names only those of the RFC, and 4000 is none.
        transport.send_close(code, text)  # type: ignore[arg-type]
        self._sim.pacer.arm(self)
        self._abort = self._loop.call_later(CLOSE_S_MAX, transport.disconnect, False)


def _reset(transport: WSTransport) -> None:
    """Close without a close frame: with nothing to linger for, the kernel sends RST."""
    underlying = transport.underlying_transport
    sock = underlying.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    underlying.abort()
