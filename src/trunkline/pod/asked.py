"""What a webhook asks, in our words."""

from dataclasses import dataclass

from trunkline.core.facts import Direction
from trunkline.core.ids import CallSid
from trunkline.core.neighbour_words import Caller
from trunkline.wire import webhooks


@dataclass(frozen=True, slots=True)
class Asked:
    """A webhook in our words. `number` is ours: the called one, or the one we call from."""

    call: CallSid
    direction: Direction
    from_number: str
    to_number: str

    @classmethod
    def by(cls, request: webhooks.VoiceRequest) -> "Asked":
        """Twilio's directions are `inbound`, `outbound-api` and their like."""
        direction: Direction = "outbound" if request.direction.startswith("out") else "inbound"
        return cls(CallSid(request.call), direction, request.from_number, request.to_number)

    @classmethod
    def of(cls, call: CallSid, caller: Caller) -> "Asked":
        """What another pod was asked."""
        return cls(call, caller.direction, caller.from_number, caller.to_number)

    @property
    def caller(self) -> Caller:
        """Whose call it is, for another pod."""
        return Caller(self.direction, self.from_number, self.to_number)

    @property
    def number(self) -> str:
        """Which line is meant."""
        return self.to_number if self.direction == "inbound" else self.from_number
