"""`trunkline sim carrier`: calls a server as Twilio would, and says how it did."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from trunkline.errors import SettingsError
from trunkline.sim.caller import (
    HangUp,
    Interrupt,
    Listen,
    Press,
    Say,
    Script,
    Step,
    Voice,
)
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN, Account
from trunkline.sim.carrier.report import CallReport, Said
from trunkline.sim.carrier.rest import ApiLimits
from trunkline.sim.serve_carrier import Carrier, CarrierOptions, serve_carrier
from trunkline.sim.speech import recorded

PROGRESS_S: Final = 1.0
CALLS_MAX: Final = 100_000
KEYS: Final = frozenset("0123456789*#")
SAY: Final = ("hello", "what are your prices", "thank you")


@dataclass(frozen=True, slots=True)
class CarrierSimOptions:
    """The command's options; each field's `help` is its text there."""

    url: str = field(metadata={"help": "Voice webhook to call, as Twilio's number has it."})
    calls: int = field(default=1, metadata={"help": "How many calls to place; 0: none."})
    rate: float = field(default=1.0, metadata={"help": "New calls a second."})
    to: str = field(default="+15550100001", metadata={"help": "The number that is called."})
    from_: str = field(
        default="+15550100100", metadata={"help": "The first caller's number; others count on."}
    )
    say: Sequence[str] = field(
        default=SAY, metadata={"help": "What a caller says, turn by turn (repeat the option)."}
    )
    interrupt_ms: int = field(
        default=0, metadata={"help": "Interrupt each reply after so many ms; 0: let it end."}
    )
    press: str = field(default="", metadata={"help": "Keys to press before hanging up."})
    fallback_url: str | None = field(
        default=None, metadata={"help": "Asked where the voice webhook fails."}
    )
    status_url: str | None = field(default=None, metadata={"help": "Told when a call has ended."})
    account_sid: str = field(default=ACCOUNT_SID, metadata={"help": "The account's SID."})
    auth_token: str = field(
        default=AUTH_TOKEN,
        repr=False,
        metadata={"help": "Signs webhooks; must be the server's TWILIO_AUTH_TOKEN."},
    )
    rest_port: int | None = field(
        default=None,
        metadata={"help": "Serve the Calls API on this port too, and stay up until Ctrl-C."},
    )
    calls_per_s: float = field(
        default=1.0, metadata={"help": "Calls a second the Calls API lets through."}
    )
    ca_file: str | None = field(
        default=None, metadata={"help": "Certificate authority to trust, besides the usual."}
    )
    seed: int | None = field(default=None, metadata={"help": "Makes the dice repeatable."})


def script_of(options: CarrierSimOptions) -> Script:
    """What each caller does."""
    steps: list[Step] = [Listen()]
    for text in options.say:
        steps.append(Say(text))
        if options.interrupt_ms:
            steps += [Interrupt(options.interrupt_ms, text)]
        steps.append(Listen())
    if options.press:
        steps.append(Press(options.press))
    return [*steps, HangUp()]


def number_after(number: str, count: int) -> str:
    """The number that lies so many after this one."""
    digits = number.lstrip("+")
    if not digits.isdigit():
        raise SettingsError(f"{number!r} is no phone number: write it as +15550100100")
    return f"+{int(digits) + count:0{len(digits)}d}"


def check(options: CarrierSimOptions, voice: Voice) -> None:
    """Raise `SettingsError` for what can't work, before any call is placed."""
    if not _leads_somewhere(options.url):
        raise SettingsError(f"--url: expected http://HOST/PATH or https://…, not {options.url!r}")
    if not 0 <= options.calls <= CALLS_MAX:
        raise SettingsError(f"--calls must be from 0 to {CALLS_MAX}")
    if options.rate <= 0 or options.calls_per_s <= 0:
        raise SettingsError("--rate and --calls-per-s must be above 0")
    if not options.calls and options.rest_port is None:
        raise SettingsError("--calls 0 does nothing without --rest-port")
    if not set(options.press) <= KEYS:
        raise SettingsError(f"--press: expected keys of a telephone, 0-9, * and #: {options.press}")
    number_after(options.from_, 0)
    number_after(options.to, 0)
    for text in options.say:
        try:
            voice.speak(text)
        except LookupError as error:
            raise SettingsError(f"--say {text!r}: {error}") from error


def _leads_somewhere(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # A port beyond 65535, a bracket too few.
        return False


async def run(
    options: CarrierSimOptions,
    *,
    voice: Voice | None = None,
    write: Callable[[str], object] = sys.stdout.write,
) -> int:
    """Place the calls, print progress and a summary; the exit code is 1 if a call failed."""
    voice = recorded() if voice is None else voice
    check(options, voice)
    account = Account(sid=options.account_sid, auth_token=options.auth_token)
    carrier_options = CarrierOptions(
        voice=voice,
        voice_url=options.url,
        account=account,
        fallback_url=options.fallback_url,
        status_url=options.status_url,
        seed=options.seed,
        ca_file=options.ca_file,
        rest_port=options.rest_port,
        limits=ApiLimits(calls_per_s=options.calls_per_s),
    )
    async with serve_carrier(carrier_options) as carrier:
        if carrier.api_url is not None:
            write(f"Calls API: {carrier.api_url}\n")
        reports = await _place(carrier, options, write)
        if reports:
            write(summary(reports, carrier))
        if carrier.api_url is not None:
            await asyncio.Event().wait()  # Until Ctrl-C.
    return 1 if any(failed(report) for report in reports) else 0


async def _place(
    carrier: Carrier, options: CarrierSimOptions, write: Callable[[str], object]
) -> list[CallReport]:
    reports: list[CallReport] = []
    script = script_of(options)

    async def place(count: int) -> None:
        caller = number_after(options.from_, count)
        reports.append(await carrier.place_call(to=options.to, from_=caller, script=script))

    began = time.monotonic()
    async with asyncio.TaskGroup() as calls:
        reporter = calls.create_task(_progress(carrier, options, reports, write))
        placed = []
        for count in range(options.calls):
            await asyncio.sleep(max(0.0, began + count / options.rate - time.monotonic()))
            placed.append(calls.create_task(place(count), name=f"call {count}"))
        for call in placed:
            await call
        reporter.cancel()
    return reports


async def _progress(
    carrier: Carrier,
    options: CarrierSimOptions,
    reports: list[CallReport],
    write: Callable[[str], object],
) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        live = len(carrier.live)
        write(f"{live} live, {len(reports)} of {options.calls} done\n")


def failed(report: CallReport) -> bool:
    """Whether the server let the caller down: no sound, or a call that broke."""
    return report.status != "completed" or not report.bytes_played or bool(report.warnings)


def summary(reports: Sequence[CallReport], carrier: Carrier) -> str:
    """What the calls were like, in lines."""
    bad = [report for report in reports if failed(report)]
    late_ms = carrier.pacer.late_ms
    codes: dict[int, int] = {}
    reasons: dict[str, str] = {}
    for report in reports:
        for code, count in report.warnings.items():
            codes[code] = codes.get(code, 0) + count
        for event in report.events:
            if event.said is Said.WARNING:
                code_told, _, reason = event.detail.partition(" ")
                reasons.setdefault(code_told, reason)
    lines = [
        f"calls              {len(reports)}, {len(bad)} with faults",
        _spread("webhook answered", [r.setup_ms for r in reports if r.setup_ms is not None]),
        _spread("first sound", [r.answer_ms for r in reports if r.answer_ms is not None]),
        _spread("turn latency", [ms for r in reports for ms in r.latencies_ms]),
        _spread("barge-in", [ms for r in reports for ms in r.barge_ins_ms]),
        _spread("holes in replies", [ms for r in reports for ms in r.holes_ms]),
        f"own frames late    {late_ms(0.99):.1f} ms at most for 99 %, {late_ms(1.0):.0f} ms at all",
    ]
    lines += [
        f"warning {code}      {count}  {reasons.get(str(code), '')}".rstrip()
        for code, count in sorted(codes.items())
    ]
    return "\n".join(lines) + "\n"


def _spread(name: str, values: Sequence[float]) -> str:
    if not values:
        return f"{name:<18} none"
    ordered = sorted(values)
    half, most = (
        ordered[len(ordered) // 2],
        ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    )
    return f"{name:<18} {half:.0f} ms median, {most:.0f} ms p99 ({len(ordered)})"
