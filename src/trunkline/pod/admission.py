"""The gate of the media path: which upgrade is answered, which stream gets which call."""

import re
from collections.abc import Callable, Sequence

import picows
from pydantic import SecretStr

from trunkline.core import tickets
from trunkline.core.ids import StreamSid
from trunkline.core.tickets import Ticket
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.media import Refusal
from trunkline.pod.passes import media_path, media_url
from trunkline.pod.runner import CallRunner
from trunkline.pod.surroundings import StreamSocket
from trunkline.wire import twilio, webhooks

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A stream's name goes into facts and into all that we send: it must be plain."""


class Gate:
    """Admits streams to this pod's calls."""

    def __init__(
        self,
        me: Identity,
        calls: Calls,
        *,
        key: bytes,
        auth_tokens: Sequence[SecretStr],
        redis_ms: Callable[[], int],
    ) -> None:
        self._me = me
        self._calls = calls
        self._key = key
        self._auth_tokens = auth_tokens
        self._redis_ms = redis_ms

    def knock(self, request: picows.WSUpgradeRequest) -> bool | Refusal:
        """Whether an upgrade was signed; a wrong signature is refused, none is not.

        Captures of real upgrades carry the signature, some reports say that it is missing: the
        ticket decides in both cases.
        """
        path = request.path.decode("latin-1")
        if path != media_path(self._me.pod):
            return Refusal.PATH
        signature = request.headers.get("x-twilio-signature")
        if signature is None:
            return False
        keys = [token.get_secret_value() for token in self._auth_tokens]
        if webhooks.is_signed(
            media_url(self._me.public_url, self._me.pod), webhooks.Form(), signature, keys
        ):
            return True
        return Refusal.SIGNATURE

    def admit(self, start: twilio.Start, socket: StreamSocket) -> CallRunner | Refusal:
        """The call that a stream's ticket names, if the ticket is good here and now."""
        live = self._called(start)
        if isinstance(live, Refusal):
            return live
        if _SID.fullmatch(start.stream_sid) is None or start.start.stream_sid != start.stream_sid:
            return Refusal.PROTOCOL
        runner = self._calls.carry(live)
        if runner is None:
            return Refusal.NO_CALL
        runner.stream_started(socket, StreamSid(start.stream_sid))
        return runner

    def _called(self, start: twilio.Start) -> LiveCall | Refusal:
        text = start.start.custom_parameters.get("ticket")
        if text is None:
            return Refusal.NO_TICKET
        ticket = tickets.read_ticket(text, self._key)
        if not isinstance(ticket, Ticket):
            return Refusal.FORGED_TICKET
        mine = (ticket.pod, ticket.incarnation) == (self._me.pod, self._me.incarnation)
        if not mine or ticket.call != start.start.call_sid:
            return Refusal.FOREIGN_TICKET
        live = self._calls.get(ticket.call)
        if live is None:
            return Refusal.NO_CALL
        if ticket.epoch < live.epoch:
            return Refusal.STALE_TICKET
        if tickets.is_expired(ticket, self._redis_ms()):
            return Refusal.EXPIRED_TICKET
        return live if ticket.epoch == live.epoch else self._advanced(live, ticket)

    def _advanced(self, live: LiveCall, ticket: Ticket) -> LiveCall | Refusal:
        """Another pod answered the redirect: the call goes on here under the ticket's epoch."""
        if not self._calls.may_resume(live):
            live.epoch = ticket.epoch  # Its slot has it, and is released under it.
            self._calls.give_up(live, "resumes_max")
            return Refusal.NO_CALL
        self._calls.advance(live, ticket.epoch, ticket.issued_at_ms)
        return live
