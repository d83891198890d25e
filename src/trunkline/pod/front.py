"""Twilio's webhooks at this pod: whichever pod a call is on, one of them answers."""

from typing import Final

from trunkline.core.ids import CallSid
from trunkline.core.slots import Full
from trunkline.pod import documents
from trunkline.pod.asked import Asked
from trunkline.pod.carrier_facts import CarrierFacts
from trunkline.pod.desk import Desk
from trunkline.pod.passes import Passes
from trunkline.pod.redirects import Redirects
from trunkline.telemetry.logs import Log, LogName
from trunkline.wire import webhooks

TERMINAL: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""`CallStatus` values after which nothing comes."""


class Front:
    """Answers them."""

    def __init__(
        self,
        desk: Desk,
        redirects: Redirects,
        *,
        passes: Passes,
        carrier: CarrierFacts,
        log: Log,
    ) -> None:
        self._desk = desk
        self._redirects = redirects
        self._passes = passes
        self._carrier = carrier
        self._log = log

    async def voice(self, request: webhooks.VoiceRequest) -> str:
        """A call's webhook; a repeated one gets the same answer."""
        if request.recording_url is not None:
            return documents.hangup()  # A voicemail of ours was taken: Twilio asks what follows.
        asked = Asked.by(request)
        answer = await self._desk.receive(asked)
        if isinstance(answer, Full):
            return await self._desk.overflow(asked, answer.reason)
        return answer

    async def resume(self, token: str, request: webhooks.VoiceRequest) -> str | None:
        """The redirect behind a stream: its call goes on, or is over."""
        read = self._passes.read(token, request.call)
        if read is None:
            return None
        if request.recording_url is not None:
            return documents.hangup()  # As in `voice`.
        return await self._redirects.answer(Asked.by(request), read, token)

    def status(self, callback: webhooks.StatusCallback) -> None:
        """The carrier says what became of a call; only its end matters here."""
        self._carrier.status_told(callback)
        if callback.status in TERMINAL:
            self._desk.hung_up(CallSid(callback.call), callback.status)

    def stream_status(self, callback: webhooks.StreamStatus) -> None:
        """The carrier says what became of a stream; the socket says it sooner."""
        if callback.event == "stream-error":
            self._log.warning(LogName.STREAM_ERROR, call=callback.call, stream=callback.stream)
            self._carrier.stream_failed(callback)

    def amd(self, verdict: webhooks.MachineVerdict) -> None:
        """The carrier says who answered; until a dialer of ours dials, it is only kept."""
        self._carrier.answered_by(verdict)
