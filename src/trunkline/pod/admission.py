"""The gate of the media path: which upgrade is answered, which stream gets which call."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Final

import picows
from pydantic import SecretStr

from trunkline.core import tickets
from trunkline.core.ids import PodName, StreamSid
from trunkline.core.tickets import Ticket
from trunkline.pod.arrivals import Arrivals, advanced
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.media import MediaSocket
from trunkline.pod.media_words import Refusal
from trunkline.pod.passes import media_path, media_url
from trunkline.pod.runner import CallRunner
from trunkline.pod.surroundings import StreamSocket
from trunkline.wire import twilio, webhooks

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A stream's name goes into facts and into all that we send: it must be plain."""

ANY: Final = PodName("")
"""The streams' path that names no pod is answered whatever this pod's own documents say: half of a
fleet may have been told otherwise."""


class Gate:
    """Admits streams to this pod's calls."""

    def __init__(
        self,
        me: Identity,
        calls: Calls,
        arrivals: Arrivals,
        *,
        key: bytes,
        auth_tokens: Sequence[SecretStr],
        redis_ms: Callable[[], int],
    ) -> None:
        self._me = me
        self._calls = calls
        self._arrivals = arrivals
        self._key = key
        self._auth_tokens = auth_tokens
        self._redis_ms = redis_ms
        self._bringing: set[asyncio.Task[None]] = set()
        """Streams that wait for their calls; each holds a slot of this pod or is turned away."""

    def knock(self, request: picows.WSUpgradeRequest) -> bool | Refusal:
        """Whether an upgrade was signed; a wrong signature is refused, none is not.

        Captures of real upgrades carry the signature, some reports say that it is missing: the
        ticket decides in both cases.
        """
        path = request.path.decode("latin-1")
        pod = next((pod for pod in (self._me.pod, ANY) if path == media_path(pod)), None)
        if pod is None:
            return Refusal.PATH
        signature = request.headers.get("x-twilio-signature")
        if signature is None:
            return False
        keys = [token.get_secret_value() for token in self._auth_tokens]
        url = media_url(self._me.public_url, pod)
        if webhooks.is_signed(url, webhooks.Form(), signature, keys):
            return True
        return Refusal.SIGNATURE

    def admit(self, start: twilio.Start, socket: StreamSocket) -> CallRunner | Refusal | None:
        """The call that a stream's ticket names, if the ticket is good here and now.

        None: the ticket names no pod, and its call is asked for.
        """
        ticket = self._ticket(start)
        if isinstance(ticket, Refusal):
            return ticket
        live = self._calls.get(ticket.call)
        if ticket.pinned or (live is not None and live.is_under(ticket.epoch)):
            return self._admit(live, ticket, start, socket)
        if tickets.is_expired(ticket, self._redis_ms()):
            return Refusal.EXPIRED_TICKET
        if self._calls.ended(ticket.call) is not None:
            return Refusal.NO_CALL
        assert isinstance(socket, MediaSocket), "no other can wait"
        bringing = self._bring(ticket, start, socket)
        task = asyncio.get_running_loop().create_task(bringing, name=f"arrival {ticket.call}")
        self._bringing.add(task)
        task.add_done_callback(self._bringing.discard)
        return None

    async def _bring(self, ticket: Ticket, start: twilio.Start, socket: MediaSocket) -> None:
        """The stream waits; if it has gone meanwhile, its call waits for the next."""
        live = await self._arrivals.take(ticket)
        if not socket.waits:
            return
        if isinstance(live, LiveCall):
            socket.settle(self._bind(live, start, socket))
        else:
            socket.settle(live)

    def _admit(
        self, live: LiveCall | None, ticket: Ticket, start: twilio.Start, socket: StreamSocket
    ) -> CallRunner | Refusal:
        """A call that has to be here."""
        if live is None:
            return Refusal.NO_CALL
        if not live.is_under(ticket.epoch) and ticket.epoch < live.epoch:
            return Refusal.STALE_TICKET
        if tickets.is_expired(ticket, self._redis_ms()):
            return Refusal.EXPIRED_TICKET
        if not live.is_under(ticket.epoch):
            found = advanced(self._calls, live, ticket)
            if isinstance(found, Refusal):
                return found
        return self._bind(live, start, socket)

    def _bind(
        self, live: LiveCall, start: twilio.Start, socket: StreamSocket
    ) -> CallRunner | Refusal:
        if _SID.fullmatch(start.stream_sid) is None or start.start.stream_sid != start.stream_sid:
            return Refusal.PROTOCOL
        runner = self._calls.carry(live)
        if runner is None:
            return Refusal.NO_CALL
        runner.stream_started(socket, StreamSid(start.stream_sid))
        return runner

    def _ticket(self, start: twilio.Start) -> Ticket | Refusal:
        text = start.start.custom_parameters.get("ticket")
        if text is None:
            return Refusal.NO_TICKET
        ticket = tickets.read_ticket(text, self._key)
        if not isinstance(ticket, Ticket):
            return Refusal.FORGED_TICKET
        mine = (ticket.pod, ticket.incarnation) == (self._me.pod, self._me.incarnation)
        if (ticket.pinned and not mine) or ticket.call != start.start.call_sid:
            return Refusal.FOREIGN_TICKET
        return ticket
