"""How much is called, and when: so many calls at once, so many new ones a second, for so long."""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from trunkline.errors import SettingsError

CALLS_MAX: Final = 1_000
"""Calls at once that one load test makes: as many as a pod may carry."""

RATE_MAX: Final = 100.0
"""New calls a second."""

SECONDS_MAX: Final = 3_600.0
"""So long a load test lasts at most; of a step of --find-knee, so long the step."""

CALL_S_MIN: Final = 2.0
"""A shorter call hears no answer: it would measure nothing."""

BEGUN_MAX: Final = 20_000
"""Calls of one load test, those that take another's place included: each is in the report."""

ENDS_PER_S: Final = 50.0
"""At the end callers hang up one after another: a rush of ends is no load of the middle."""

HOLD_S_MIN: Final = 2.0
"""So long all calls must be up together, or the load that was asked for never was."""

CONSENT: Final = "--i-pay-for-these-calls"
"""The option that allows calls to leave this machine."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for. Without `call_s` each call lasts until the end."""

    calls: int
    rate: float
    seconds: float
    call_s: float | None = None

    @property
    def ramp_s(self) -> float:
        """From the first call to the last of those that shall be up together."""
        return (self.calls - 1) / self.rate

    @property
    def begun_max(self) -> int:
        """So many calls begin at most."""
        return int(self.seconds * self.rate) + 1 if self.call_s else self.calls


def check(load: Load) -> None:
    """Refuse what would measure nothing, or something else than was asked for.

    Raises:
        SettingsError: names the option and the remedy.
    """
    if load.call_s is not None and load.call_s < CALL_S_MIN:
        raise SettingsError(f"--call-seconds: a call needs {CALL_S_MIN:.0f} s at least to be heard")
    if load.seconds < load.ramp_s + HOLD_S_MIN:
        needed = load.ramp_s + HOLD_S_MIN
        raise SettingsError(
            f"--seconds {load.seconds:g} is too short: {load.calls} calls at {load.rate:g} a "
            f"second need {load.ramp_s:.0f} s to begin; give {needed:.0f} or more, "
            "or a higher --rate"
        )
    if load.call_s is not None and load.call_s * load.rate < load.calls:
        raise SettingsError(
            f"--call-seconds {load.call_s:g} at --rate {load.rate:g} never gives {load.calls} "
            f"calls at once, only {load.call_s * load.rate:.0f}: raise --rate, or lower --calls"
        )
    if load.begun_max > BEGUN_MAX:
        raise SettingsError(
            f"--seconds: that would be {load.begun_max} calls, more than {BEGUN_MAX}; "
            "shorten it, or lower --rate"
        )


def check_url(url: str, *, consented: bool) -> None:
    """Refuse an address that leads nowhere, and one that leads elsewhere without consent.

    Raises:
        SettingsError: names the option and the remedy.
    """
    try:
        parts = urlsplit(url)
        leads = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        leads = False
    if not leads:
        raise SettingsError(f"--url: expected http://HOST/PATH or https://…, not {url!r}")
    if not consented and not is_loopback(parts.hostname or ""):
        raise SettingsError(
            f"--url: {parts.hostname} is not this machine, and calls to it may cost its owner "
            f"money: add {CONSENT} if that is you"
        )


def is_loopback(host: str) -> bool:
    """Whether traffic to the host stays on this machine. Names are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Arrivals:
    """When the next call begins: never more than `calls` at once, never faster than `rate`.

    Times are seconds after the test's start. On an absolute clock: a call that begins late does
    not make the next one late.
    """

    def __init__(self, load: Load) -> None:
        self.begun = 0
        self.live = 0
        self._load = load
        self._at = 0.0

    def due_at(self) -> float | None:
        """When the next call begins; None while there is no place for one, or never again."""
        if self.live >= self._load.calls or self._at >= self._load.seconds:
            return None
        if self._load.call_s is None and self.begun >= self._load.calls:
            return None
        return self._at

    def begin(self) -> int:
        """A call begins; its number, from 0."""
        assert self.due_at() is not None
        number = self.begun
        self.begun += 1
        self.live += 1
        self._at += 1 / self._load.rate
        return number

    def ended(self, now: float) -> None:
        """A call is over: the next may take its place."""
        assert self.live > 0
        if self.live == self._load.calls:
            self._at = max(self._at, now)
        self.live -= 1

    def hang_up_at(self, number: int, began: float) -> float:
        """When a call's caller puts the phone down."""
        end = self._load.seconds + number % self._load.calls / ENDS_PER_S
        return end if self._load.call_s is None else min(began + self._load.call_s, end)

    def is_over(self, now: float) -> bool:
        """Whether no further call begins."""
        if now >= self._load.seconds:
            return True
        return self._load.call_s is None and self.begun >= self._load.calls
