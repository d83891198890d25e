"""What goes wrong, and when: the simulators' own fault switches, on the test's clock.

--at 20s model.refuse=10s                at 20 s, for 10 s
--at 20s model.think:2=10s               with a value: 2 s of thought
--at 30s model.reset                     at one moment: every open session
--at 40s carrier.reset_after_s:3=5s      calls that begin within these 5 s
"""

import dataclasses
import enum
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast, get_type_hints

import msgspec

from trunkline.errors import SettingsError
from trunkline.sim.carrier.faults import NO_FAULTS, Faults
from trunkline.sim.realtime import faults as model

FAULTS_MAX: Final = 50
"""Faults on one timeline; the model's simulator itself holds 100 switches."""

REFUSE: Final = "refuse"
"""The model refuses every new session: `handshake` by the name people look for."""

AT_ONCE: Final = frozenset({"reset", "stall", "expire"})
"""Of the model: these strike the sessions that are open at that moment, too."""

_WRITTEN: Final = re.compile(
    r"(?P<where>model|carrier)\.(?P<name>[a-z_]+)(:(?P<value>[A-Za-z0-9_.-]+))?(=(?P<for>\S+))?"
)
_SECONDS: Final = re.compile(r"(?P<number>\d+(\.\d+)?)s?", re.ASCII)


class Fault(msgspec.Struct, frozen=True):
    """One fault on the timeline; `for_s` 0 is a moment."""

    at_s: float
    where: Literal["model", "carrier", "fleet"]
    """fleet: of the pods and what they stand on; never written on a command line."""
    name: str
    value: str = ""
    for_s: float = 0.0

    @property
    def until_s(self) -> float:
        """When it is over."""
        return self.at_s + self.for_s

    @property
    def title(self) -> str:
        """As it was written, without its times."""
        return f"{self.where}.{self.name}" + (f":{self.value}" if self.value else "")


def parse(text: str) -> Fault:
    """Read `20s model.refuse=10s`.

    Raises:
        SettingsError: says how it is written, or which names there are.
    """
    moment, _, rest = " ".join(text.split()).partition(" ")
    found = _WRITTEN.fullmatch(rest)
    if found is None:
        raise SettingsError(
            f"--at {text!r}: write it as --at 20s model.refuse=10s (at 20 s, for 10 s); "
            "--help lists the names"
        )
    where: Literal["model", "carrier"] = "model" if found["where"] == "model" else "carrier"
    fault = Fault(
        _seconds(text, moment),
        where,
        found["name"],
        found["value"] or "",
        _seconds(text, found["for"]) if found["for"] else 0.0,
    )
    _check(fault)
    return fault


def parse_all(texts: Sequence[str], seconds: float) -> tuple[Fault, ...]:
    """Read all of a timeline, in order of time.

    Raises:
        SettingsError: as `parse`; too many, or one that begins after the end.
    """
    if len(texts) > FAULTS_MAX:
        raise SettingsError(f"--at: {FAULTS_MAX} faults at most, not {len(texts)}")
    faults = sorted((parse(text) for text in texts), key=lambda fault: fault.at_s)
    for fault in faults:
        if fault.at_s >= seconds:
            raise SettingsError(
                f"--at {fault.at_s:g}s {fault.title}: the test is over by then; "
                f"raise --seconds ({seconds:g})"
            )
    return tuple(faults)


def _seconds(text: str, written: str) -> float:
    found = _SECONDS.fullmatch(written)
    if found is None:
        raise SettingsError(f"--at {text!r}: {written!r} is no time in seconds: write it as 20s")
    return float(found["number"])


def _check(fault: Fault) -> None:
    """Whether the simulators know it, and its value."""
    if fault.where == "model":
        try:
            model_switch(fault, 0.0)
        except model.FaultSyntaxError as error:
            names = ", ".join((REFUSE, *model.KINDS))
            unknown = fault.name not in model.KINDS and fault.name != REFUSE
            reason = f"no such fault; there are: {names}" if unknown else str(error)
            raise SettingsError(f"--at … {fault.title}: {reason}") from None
        if not fault.for_s and fault.name not in AT_ONCE:
            raise SettingsError(f"--at … {fault.title}: say for how long: {fault.title}=10s")
        return
    if fault.name not in carrier_names():
        raise SettingsError(
            f"--at … {fault.title}: no such fault; there are: {', '.join(carrier_names())}"
        )
    if not fault.for_s:
        raise SettingsError(
            f"--at … {fault.title}: it strikes calls that begin meanwhile; say for how long: "
            f"{fault.title}=10s"
        )
    _carrier_value(fault)


def model_switch(fault: Fault, offset_s: float) -> model.Fault:
    """The model's own switch; `offset_s` is the test's start on the simulator's clock.

    Raises:
        FaultSyntaxError: it has no such switch, or not with this value.
    """
    kind = "handshake" if fault.name == REFUSE else fault.name
    value = fault.value or ("503" if fault.name == REFUSE else "")
    until_s = offset_s + fault.until_s
    return model.Fault(kind, value, None, offset_s + fault.at_s, until_s)


def carrier_names() -> list[str]:
    """The carrier's switches."""
    return [each.name for each in dataclasses.fields(Faults)]


def carrier_faults(
    faults: Iterable[Fault], now_s: float, usual: Faults = NO_FAULTS
) -> Faults | None:
    """What strikes a call that begins now, beside the usual; None for nothing."""
    struck = [
        fault
        for fault in faults
        if fault.where == "carrier" and fault.at_s <= now_s < fault.until_s
    ]
    if not struck:
        return None
    values = {fault.name: _carrier_value(fault) for fault in struck}
    return msgspec.convert(_told(usual) | values, Faults)


def _told(faults: Faults) -> dict[str, object]:
    return {each.name: getattr(faults, each.name) for each in dataclasses.fields(Faults)}


_USUAL: Final = {"refuse_streams": "1", "no_stop": "true", "hang_up_during_resume": "true"}
"""Values of switches written without one."""


def _carrier_value(fault: Fault) -> object:
    """The value as the switch's own type.

    Raises:
        SettingsError: the switch takes no such value.
    """
    hint = get_type_hints(Faults)[fault.name]
    text = fault.value or _USUAL.get(fault.name, "")
    many = getattr(hint, "__origin__", None) is tuple
    if many and fault.name == "parameters":
        raise SettingsError(f"--at … {fault.title}: parameters can't be given here")
    try:
        return msgspec.convert((text,) if many else text, hint, strict=False)
    except msgspec.ValidationError:
        raise SettingsError(
            f"--at … {fault.title}: {_wanted(hint)}; write it as "
            f"{fault.where}.{fault.name}:VALUE=10s"
        ) from None


def _wanted(hint: object) -> str:
    """What a switch takes, in words."""
    inner = getattr(hint, "__args__", (hint,))[0]
    if isinstance(inner, type) and issubclass(inner, enum.Enum):
        return "it takes " + ", ".join(str(each.value) for each in inner)
    return "it takes yes or no" if inner is bool else "it takes a number"


@dataclass(frozen=True, slots=True)
class Moment:
    """A fault of the model's that strikes all open sessions at one time."""

    at_s: float
    name: Literal["reset", "stall", "expire"]


def moments(faults: Iterable[Fault]) -> list[Moment]:
    """What must be done by hand, in order of time."""
    return [
        Moment(fault.at_s, cast("Literal['reset', 'stall', 'expire']", fault.name))
        for fault in faults
        if fault.where == "model" and fault.name in AT_ONCE
    ]


def switches(faults: Iterable[Fault], offset_s: float) -> list[model.Fault]:
    """What the model's simulator is told before the test begins."""
    return [
        model_switch(fault, offset_s)
        for fault in faults
        if fault.where == "model" and fault.for_s and math.isfinite(fault.until_s)
    ]
