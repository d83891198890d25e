"""The plan of a call and the forms that tell the server about it."""

from dataclasses import dataclass, field
from typing import Final

from trunkline.sim.carrier.account import USUAL_CALLEE, Account, Callee
from trunkline.wire.webhooks import Form, MachineVerdict, StatusCallback, StreamStatus, VoiceRequest

STATUS_EVENTS: Final = ("initiated", "ringing", "answered", "completed")

_GEO: Final = (
    ("City", "SPRINGFIELD"), ("State", "IL"), ("Zip", ""), ("Country", "US"),
)  # fmt: skip
_PREFIXES: Final = ("From", "To", "Caller", "Called")


@dataclass(frozen=True, slots=True)
class CallPlan:
    """How one call shall be made. Numbers are E.164."""

    sid: str
    direction: str
    from_number: str = field(repr=False)
    to_number: str = field(repr=False)
    voice_url: str | None = field(repr=False)
    voice_method: str = "POST"
    twiml: str | None = field(default=None, repr=False)
    fallback_url: str | None = field(default=None, repr=False)
    fallback_method: str = "POST"
    status_url: str | None = field(default=None, repr=False)
    status_method: str = "POST"
    status_events: tuple[str, ...] = ("completed",)
    ring_s_max: float = 60.0
    """An outbound call rings so long at most; a caller of ours waits `give_up_s`."""
    length_s_max: float = 4 * 3600.0
    give_up_s: float | None = None
    callee: Callee = USUAL_CALLEE
    detect_machine: bool = False
    detect_async: bool = False
    verdict_url: str | None = field(default=None, repr=False)
    verdict_method: str = "POST"

    @property
    def is_inbound(self) -> bool:
        """Whether a person calls us."""
        return self.direction == "inbound"


def voice_form(
    plan: CallPlan,
    account: Account,
    status: str,
    extra: tuple[tuple[str, str], ...] = (),
    answered_by: str | None = None,
) -> Form:
    """The parameters of a voice webhook, blank ones included."""
    request = VoiceRequest(
        call=plan.sid,
        account=account.sid,
        from_number=plan.from_number,
        to_number=plan.to_number,
        direction=plan.direction,
        status=status,
        stir_verstat="TN-Validation-Passed-A" if plan.is_inbound else None,
        answered_by=answered_by,
    )
    geo = tuple((f"{prefix}{name}", value) for prefix in _PREFIXES for name, value in _GEO)
    return Form((*request.to_form().fields, *geo, *extra))


def status_form(
    plan: CallPlan,
    account: Account,
    status: str,
    sequence: int,
    now: float,
    duration_s: int | None = None,
    answered_by: str | None = None,
) -> Form:
    """The parameters of a call status callback."""
    sip = {"busy": 486, "no-answer": 487, "failed": 404, "canceled": 487, "completed": 200}
    return StatusCallback(
        call=plan.sid,
        account=account.sid,
        status=status,
        sequence_number=sequence,
        duration=duration_s,
        from_number=plan.from_number,
        to_number=plan.to_number,
        direction=plan.direction,
        answered_by=answered_by,
        sip_response_code=sip.get(status),
        timestamp=account.rfc2822(now),
    ).to_form()


def stream_form(
    call_sid: str, account: Account, stream_sid: str, event: str, now: float, error: str | None
) -> Form:
    """The parameters of a stream status callback."""
    return StreamStatus(
        call=call_sid,
        account=account.sid,
        stream=stream_sid,
        event=event,
        error=error,
        timestamp=account.iso8601(now),
    ).to_form()


def verdict_form(plan: CallPlan, account: Account) -> Form:
    """The parameters of the asynchronous machine detection's callback."""
    callee = plan.callee
    return MachineVerdict(
        call=plan.sid,
        account=account.sid,
        answered_by=callee.answered_by,
        duration_ms=round(callee.verdict_s * 1000),
    ).to_form()
