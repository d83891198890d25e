"""What other pods ask of this one, and have it do: on the internal port, behind a signature."""

from collections.abc import Callable

from trunkline.core.ids import CallSid
from trunkline.core.neighbour_words import Answer, Receive, Take, Word
from trunkline.core.slots import Full
from trunkline.pod.asked import Asked
from trunkline.pod.calls import Calls
from trunkline.pod.desk import Desk
from trunkline.pod.takeovers import Takeovers


class Orders:
    """Obeys them; each may come twice."""

    def __init__(
        self, calls: Calls, desk: Desk, takeovers: Takeovers, drain: Callable[[], None]
    ) -> None:
        """`drain` begins this pod's end."""
        self._calls = calls
        self._desk = desk
        self._takeovers = takeovers
        self.drain = drain

    def word(self, call: CallSid) -> Word:
        """What this pod knows of a call. The redirect of an ended one has come: it is answered."""
        if (document := self._calls.ended(call)) is not None:
            self._calls.redirected(call)
            return Word("ended", document)
        if (live := self._calls.get(call)) is None:
            # One whose first webhook is being answered will be here: nobody else shall take it.
            return Word("live" if self._desk.is_answering(call) else "unknown")
        streaming = live.runner is not None and live.runner.has_stream
        return Word("live", streaming=streaming, epoch=live.epoch, former=live.former)

    async def receive(self, call: CallSid, order: Receive) -> Answer:
        """Answer a new call that has a slot here."""
        answer = await self._desk.receive(Asked.of(call, order.caller), order.model)
        return Answer(refused=answer.reason) if isinstance(answer, Full) else Answer(answer)

    async def take(self, call: CallSid, order: Take) -> Answer:
        """Go on with a call under an epoch that names this pod."""
        return await self._takeovers.take(Asked.of(call, order.caller), order)

    def told(self, call: CallSid, status: str) -> None:
        """The carrier told another pod of the call's end."""
        self._desk.hung_up(call, status)
