"""A house of media sockets on loopback, where a ticket is good if it says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import picows
from fastapi import FastAPI

from pod.edge import Peer, Upgrade, counted, served
from trunkline.pod.bridge import media_protocol
from trunkline.pod.media import MediaHouse, MediaSocket, Receiver
from trunkline.pod.media_words import MediaLimits, Refusal
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import twilio

CALL, STREAM = "CA" + "1" * 32, "MZ" + "1" * 32
SIGNED = Upgrade(signature="good")
DEFAULT = MediaLimits()
CONNECTED = twilio.encode(twilio.Connected())


def start(ticket: str = "good", *, stream: str = STREAM, call: str = CALL) -> bytes:
    """A `start` message with this ticket; with "" it has none."""
    parameters = {"ticket": ticket} if ticket else {}
    media = twilio.MediaFormat("audio/x-mulaw", 8000, 1)
    fields = twilio.StartFields("AC1", stream, call, ["inbound"], media, parameters)
    return twilio.encode(twilio.Start(fields, stream, "1"))


def media(number: int = 2, payload: str = "/" * 216) -> bytes:
    """One frame of the caller's."""
    return twilio.encode(twilio.Media(twilio.MediaFields(payload), STREAM, str(number)))


@dataclass
class Guest:
    """Who a socket was given to; a `Receiver`."""

    socket: MediaSocket
    heard: list[twilio.FromCarrier] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    on_message: Callable[[twilio.FromCarrier], None] = lambda _: None
    broken: bool = False
    """Whether it fails at each message."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def from_carrier(self, socket: MediaSocket, message: twilio.FromCarrier) -> None:
        """Write it down."""
        assert socket is self.socket
        if self.broken:
            raise ZeroDivisionError
        self.on_message(message)
        self.heard.append(message)
        self.news.set()

    def stream_lost(self, socket: MediaSocket, reason: str) -> None:
        """Write it down."""
        assert socket is self.socket
        self.lost.append(reason)
        self.news.set()

    async def hears(self, count: int) -> None:
        """So many messages have come."""
        await self._until(lambda: len(self.heard) >= count)

    async def loses(self) -> str:
        """The stream is lost; why."""
        await self._until(lambda: bool(self.lost))
        assert len(self.lost) == 1
        return self.lost[0]

    async def _until(self, fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not fact():
                self.news.clear()
                await self.news.wait()


@dataclass
class Hall:
    """Lets in who is signed or not signed at all; an `Admission`."""

    metrics: Metrics
    guests: list[Guest] = field(default_factory=list)
    waiting: list[MediaSocket] = field(default_factory=list)
    """Sockets whose call is on its way."""
    starts: int = 0

    def knock(self, request: picows.WSUpgradeRequest) -> bool | Refusal:
        """The signature is "good", or missing, or wrong."""
        if request.path != b"/pods/pod-0/media":
            return Refusal.PATH
        signature = request.headers.get("x-twilio-signature")
        if signature not in {None, "good"}:
            return Refusal.SIGNATURE
        return signature is not None

    def admit(self, start: twilio.Start, socket: MediaSocket) -> Receiver | Refusal | None:
        """The ticket is "good", or what is wrong with it; with "soon" the call is to come."""
        self.starts += 1
        ticket = start.start.custom_parameters.get("ticket", Refusal.NO_TICKET)
        if ticket == "soon":
            self.waiting.append(socket)
            return None
        if ticket != "good":
            return Refusal(ticket)
        self.guests.append(Guest(socket))
        return self.guests[-1]


@dataclass
class Open:
    """The house, open on a port."""

    port: int
    hall: Hall
    house: MediaHouse
    metrics: Metrics

    def refused(self) -> dict[str, int]:
        """Sockets that were given no call."""
        return counted(self.metrics, "streams_refused_total")

    def broken(self) -> dict[str, int]:
        """Messages that were none."""
        return counted(self.metrics, "carrier_messages_refused_total")

    @asynccontextmanager
    async def stranger(self, upgrade: Upgrade | None = None) -> AsyncIterator[Peer]:
        """Upgraded, and silent."""
        async with Peer.upgraded(self.port, upgrade) as peer:
            assert peer.status == 101
            yield peer

    @asynccontextmanager
    async def guest(self, upgrade: Upgrade = SIGNED) -> AsyncIterator[tuple[Peer, Guest]]:
        """Started with a good ticket; the end of the block cuts the connection."""
        async with self.stranger(upgrade) as peer:
            before = len(self.hall.guests)
            peer.send(CONNECTED)
            peer.send(start())
            async with asyncio.timeout(10):
                while len(self.hall.guests) == before:  # noqa: ASYNC110 - the hall is told, not we
                    await asyncio.sleep(0.001)
            yield peer, self.hall.guests[before]


@asynccontextmanager
async def open_house(limits: MediaLimits = DEFAULT) -> AsyncIterator[Open]:
    """At its end all sockets are closed, and none may be left."""
    metrics = Metrics()
    hall = Hall(metrics)
    house = MediaHouse(hall, metrics, limits)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    async with served(app, media_protocol(house)) as port:
        try:
            yield Open(port, hall, house, metrics)
        finally:
            await house.close()
    assert not house.open
    assert not any(house.strangers.values())
