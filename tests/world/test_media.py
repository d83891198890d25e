import asyncio

from trunkline.pod.media_words import Refusal
from trunkline.pod.runner import CallRunner
from trunkline.pod.surroundings import StreamSocket
from trunkline.wire import twilio
from trunkline.world.media import END, RESET, PodStream
from trunkline.world.wires import Pipe
from world.places import played


class Nobody:
    """A gate that lets nobody in."""

    def admit(self, start: twilio.Start, socket: StreamSocket) -> CallRunner | Refusal:
        del start, socket
        return Refusal.NO_TICKET


def start() -> bytes:
    form = twilio.MediaFormat("audio/x-mulaw", 8000, 1)
    fields = twilio.StartFields("AC1", "MZ1", "CA1", ["inbound"], form, {})
    return twilio.encode(twilio.Start(fields, "MZ1", "1"))


def test_a_stream_without_a_ticket_is_closed() -> None:
    """And counted by why."""

    async def knocks() -> None:
        refused, sent, spoken = list[Refusal](), list[bytes](), list[str]()
        stream = PodStream(Nobody(), refused.append, lambda: spoken.append("spoken"))
        stream.opened(Pipe(sent.append, 0.01))
        stream.arrive(start())
        await asyncio.sleep(0.1)
        assert refused == [Refusal.NO_TICKET]
        stream.send(twilio.SendClear("MZ1"))
        assert spoken == ["spoken"]
        assert sent == [END]
        stream.arrive(END)
        await stream.wait_gone()

    played(knocks())


def test_a_stream_that_never_starts_is_closed() -> None:
    """Within the pod's own time for it."""

    async def waits() -> None:
        refused, sent = list[Refusal](), list[bytes]()
        stream = PodStream(Nobody(), refused.append, lambda: None)
        stream.opened(Pipe(sent.append, 0.01))
        await asyncio.sleep(8)
        assert refused == [Refusal.NO_START]
        assert sent == [END]
        await stream.wait_gone()

    played(waits())


def test_a_stream_that_was_reset_is_gone() -> None:
    """Nothing more is sent to it."""

    async def breaks() -> None:
        sent = list[bytes]()
        stream = PodStream(Nobody(), lambda _: None, lambda: None)
        stream.opened(Pipe(sent.append, 0.01))
        stream.send(twilio.SendClear("MZ1"))
        stream.arrive(RESET)
        stream.send(twilio.SendClear("MZ1"))
        await asyncio.sleep(0.1)
        assert len(sent) == 1
        await stream.wait_gone()

    played(breaks())
