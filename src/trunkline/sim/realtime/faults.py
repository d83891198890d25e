"""What may go wrong at a realtime model, each with a switch.

A switch is written as on the command line and over HTTP: `kind[=value][*times][@from[-until]]`,
with `from` and `until` in seconds after the simulator's start:

    fail_response=server_error*2      the next two responses fail
    handshake=429@10-20               refuses for ten seconds, ten seconds after the start
    expire=30                         each session expires 30 s after it was made
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

FAULTS_MAX: Final = 100
"""Switches set at once; more are refused."""

KINDS: Final = {
    "handshake": "HTTP status the handshake is refused with: 401, 403, 404, 429, 500, 503 ...",
    "session_error": "error code sent in place of session.created, then the socket closes",
    "session_delay": "seconds before session.created",
    "stall": "seconds after session.created from which on nothing is answered (socket open)",
    "expire": "seconds after session.created until session_expired and close 1001",
    "reset": "seconds after session.created until the TCP connection is reset",
    "fail_response": "error code of a failed response: rate_limit_exceeded, server_error, "
    "insufficient_quota ...",
    "incomplete": "reason of a response that stops half-way: max_output_tokens, content_filter",
    "cut_arguments": "a function call ends with half its arguments, status incomplete",
    "several_items": "a spoken answer comes as two message items of one response",
    "think": "seconds before a response's first item, in place of the option's",
    "stall_response": "a response stops half-way without any further event",
    "transcription_missing": "no transcription event for a turn",
    "transcription_failed": "transcription fails for a turn",
    "rate_limit_remaining": "tokens left, as rate_limits.updated reports them",
}
"""Every switch and what its value means."""

NUMBERS: Final = frozenset(
    {"session_delay", "stall", "expire", "reset", "think", "handshake", "rate_limit_remaining"}
)
"""Kinds whose value is a number."""

DEFAULTS: Final = {
    "handshake": "429",
    "session_error": "insufficient_quota",
    "fail_response": "rate_limit_exceeded",
    "incomplete": "max_output_tokens",
}
"""Values of switches written without one; other numbers are 0."""

STATUSES: Final = frozenset(str(each.value) for each in HTTPStatus if each.value >= HTTPStatus(400))
"""What a handshake can be refused with."""

_SWITCH: Final = re.compile(
    r"(?P<kind>[a-z_]+)(=(?P<value>[a-z0-9_.]+))?(\*(?P<times>\d+))?"
    r"(@(?P<start>\d+(\.\d+)?)(-(?P<end>\d+(\.\d+)?))?)?"
)
_NUMBER: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)


class FaultSyntaxError(ValueError):
    """A switch was written wrongly; the text says how it is written."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One switch, as set: `times` None is for ever; the window is in seconds after the start."""

    kind: str
    value: str = ""
    times: int | None = None
    from_s: float = 0.0
    until_s: float = float("inf")

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FaultSyntaxError(f"no fault {self.kind!r}; there are: {', '.join(KINDS)}")
        if self.times is not None and self.times < 1:
            raise FaultSyntaxError("a fault happens once at least")
        if self.kind in NUMBERS and not _NUMBER.fullmatch(self.value or "0"):
            raise FaultSyntaxError(f"{self.kind} takes a number, not {self.value!r}")
        if self.kind == "handshake" and (self.value or "429") not in STATUSES:
            raise FaultSyntaxError("handshake takes an HTTP status from 400 to 599")
        if self.kind == "incomplete" and self.value not in {
            "",
            "max_output_tokens",
            "content_filter",
        }:
            raise FaultSyntaxError("incomplete takes max_output_tokens or content_filter")


def parse(text: str) -> Fault:
    """Read one switch. Raises `FaultSyntaxError`."""
    found = _SWITCH.fullmatch(text.strip())
    if found is None:
        raise FaultSyntaxError(f"{text!r} is not kind[=value][*times][@from[-until]]")
    times, start, end = found["times"], found["start"], found["end"]
    return Fault(
        found["kind"],
        found["value"] or "",
        int(times) if times else None,
        float(start or 0),
        float(end) if end else float("inf"),
    )


class Faults:
    """The switches of one simulator; sessions take from them as they come to the moment."""

    def __init__(self, switches: tuple[Fault, ...] = (), started_at: float = 0.0) -> None:
        self.started_at = started_at
        self._set: list[tuple[Fault, int]] = []
        for switch in switches:
            self.put(switch)

    def put(self, fault: Fault) -> None:
        """Set a switch. Beyond `FAULTS_MAX` raises `FaultSyntaxError`."""
        if len(self._set) >= FAULTS_MAX:
            raise FaultSyntaxError(f"more than {FAULTS_MAX} faults at once: clear some")
        self._set.append((fault, 0))

    def clear(self) -> None:
        """Set all back: from here on nothing goes wrong."""
        self._set.clear()

    def active(self) -> list[Fault]:
        """The switches that are not used up."""
        return [fault for fault, _ in self._set]

    def take(self, kind: str, now: float) -> str | None:
        """The value if such a fault is to happen now, else None. Counts it as happened."""
        assert kind in KINDS
        since = now - self.started_at
        for index, (fault, used) in enumerate(self._set):
            if fault.kind == kind and fault.from_s <= since < fault.until_s:
                if fault.times is not None and used + 1 >= fault.times:
                    del self._set[index]
                else:
                    self._set[index] = (fault, used + 1)
                return fault.value or DEFAULTS.get(kind, "0")
        return None

    def take_number(self, kind: str, now: float) -> float | None:
        """As `take`, for kinds whose value is a number."""
        assert kind in NUMBERS
        value = self.take(kind, now)
        return None if value is None else float(value)
