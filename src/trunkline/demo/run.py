"""The demo from start to end: both far ends here, the pod beside, callers, a summary."""

import asyncio
import importlib.resources
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from rich.console import Console
from rich.live import Live

from trunkline.demo import child, pages
from trunkline.demo.callers import CLINIC, SHOP, Caller, caller
from trunkline.demo.whereabouts import Whereabouts
from trunkline.errors import TrunklineError
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.ledger import added_latency, nearest
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.serve_carrier import Carrier, CarrierOptions, serve_carrier
from trunkline.sim.serve_realtime import RealtimeSimulator, serve_realtime
from trunkline.sim.speech import recorded

FRAME_S: Final = 0.25
"""How often the table is drawn anew."""

PROGRESS_S: Final = 2.0
"""How often a line is written where no table can be drawn."""

ANSWER_S_MAX: Final = 5.0
"""So long the pod's internal port may take for one answer."""

LOG_S_MAX: Final = 10.0
"""So long the call log may take to hold the last call's row."""

ROWS_MAX: Final = 1000

LINES: Final = {CLINIC: "clinic", SHOP: "sales"}


@dataclass(frozen=True, slots=True)
class Demo:
    """How many callers, how fast, where the stores lie, and whether it stays up afterwards."""

    calls: int
    rate: float
    data_dir: Path
    stay: bool
    pods: int = 1


class _Row(msgspec.Struct, frozen=True):
    """What we want to know of a call's row."""

    call: str
    outcome: str | None
    facts: int


async def run(demo: Demo, environ: Mapping[str, str], console: Console) -> int:
    """Show it; the exit code is 1 if a call was not as it should be.

    Raises:
        SettingsError: the data folder can't be used.
        TrunklineError: the pod did not start, or went away.
    """
    log = demo.data_dir / "pod.log"
    async with (
        aiohttp.ClientSession() as http,
        serve_realtime("127.0.0.1", 0, RealtimeSimOptions()) as model,
    ):
        what = "one pod, with" if demo.pods == 1 else f"{demo.pods} pods, with Traefik,"
        _write(console, f"starting {what} PostgreSQL and Valkey from their wheels …")
        given = {**environ, **_environ(model, demo)}
        async with child.pod(given, log=log, http=http, pods=demo.pods) as pod:
            who = "the pod answers" if demo.pods == 1 else f"{demo.pods} pods answer"
            it = "it writes" if demo.pods == 1 else "they write"
            _write(console, f"{who} on {pod.public_url}; {it} to {log}\n")
            async with _carrier(pod) as carrier:
                reports = await _call(demo, Whereabouts(pod, http), carrier, console)
            good = await _tell(reports, model, pod, http, console)
            if demo.stay:
                await _stay(pod, console)
    return 0 if good else 1


def _environ(model: RealtimeSimulator, demo: Demo) -> dict[str, str]:
    config = importlib.resources.files("trunkline.demo") / "line" / "trunkline.yaml"
    return {
        "TRUNKLINE_POD_NAME": "demo-0" if demo.pods == 1 else "demo",
        "TRUNKLINE_DATA_DIR": str(demo.data_dir),
        "TRUNKLINE_CONFIG": str(config),
        "TRUNKLINE_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TRUNKLINE_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TRUNKLINE_REALTIME_URL": model.url,
        "TRUNKLINE_REALTIME_API_KEY": f"sim-{secrets.token_hex(8)}",
        "TRUNKLINE_DRAIN_S_MAX": "5",
    }


@asynccontextmanager
async def _carrier(pod: child.Child) -> AsyncIterator[Carrier]:
    options = CarrierOptions(
        voice=recorded(),
        voice_url=f"{pod.public_url}/twilio/voice",
        status_url=f"{pod.public_url}/twilio/status",
    )
    async with serve_carrier(options) as carrier:
        yield carrier


async def _call(
    demo: Demo, where: Whereabouts, carrier: Carrier, console: Console
) -> list[CallReport]:
    reports: list[CallReport] = []

    async def place(one: Caller, number: int) -> None:
        reports.append(
            await carrier.place_call(
                to=one.to, from_=f"+1555010{1000 + number:04d}", script=one.script
            )
        )

    with Live(console=console, auto_refresh=False, transient=True) as table:
        async with asyncio.TaskGroup() as calls:
            drawing = calls.create_task(_draw(demo, carrier, where, reports, table))
            looking = calls.create_task(where.look())
            async with asyncio.TaskGroup() as placed:
                for number in range(demo.calls):
                    placed.create_task(place(caller(number), number))
                    await asyncio.sleep(1 / demo.rate)
            drawing.cancel()
            looking.cancel()
    return reports


async def _draw(
    demo: Demo, carrier: Carrier, where: Whereabouts, reports: list[CallReport], table: Live
) -> None:
    """A live table; where there is no terminal to draw it on, a line now and then."""
    console = table.console
    draws = console.is_terminal and not console.is_dumb_terminal
    while True:
        done = len(reports)
        if draws:
            page = pages.live(carrier.calls, LINES, done, demo.calls, where.pods)
            table.update(page, refresh=True)
        else:
            line = pages.progress(len(carrier.live), done, demo.calls)
            _write(console, line + pages.shares(where.pods))
        await asyncio.sleep(FRAME_S if draws else PROGRESS_S)


async def _tell(
    reports: list[CallReport],
    model: RealtimeSimulator,
    pod: child.Child,
    http: aiohttp.ClientSession,
    console: Console,
) -> bool:
    """The summary and one transcript; whether all is as it should be."""
    rows = await _rows(reports, pod, http)
    to_model: list[float] = []
    to_caller: list[float] = []
    for report in reports:
        session = nearest(report.ledger, model.ledgers)
        if session is not None:
            to_model += [1000 * s for s in added_latency(report.ledger, session)]
            to_caller += [1000 * s for s in added_latency(session, report.ledger)]
    facts = sum(row.facts for row in rows)
    console.print(pages.summary(reports, (to_model, to_caller), len(rows), facts))
    longest = max(reports, key=lambda report: len(report.transcript))
    console.print("\none call, as its caller heard it:\n")
    console.print(pages.transcript(longest))
    missing = {report.sid for report in reports} - {row.call for row in rows if row.outcome}
    odd = [report for report in reports if report.warnings or not report.bytes_played]
    if missing or odd:
        console.print(f"\n[bold red]{len(missing)} calls not in the log, {len(odd)} odd[/]")
    return not missing and not odd


async def _rows(
    reports: list[CallReport], pod: child.Child, http: aiohttp.ClientSession
) -> list[_Row]:
    """The rows of our calls, once all have ended in the log, or as they are by then."""
    ours = {report.sid for report in reports}
    loop = asyncio.get_running_loop()
    late = loop.time() + LOG_S_MAX
    while True:
        found = await _newest(pod, http)
        rows = [row for row in found if row.call in ours]
        if loop.time() > late or sum(row.outcome is not None for row in rows) == len(ours):
            return rows
        await asyncio.sleep(FRAME_S)


async def _newest(pod: child.Child, http: aiohttp.ClientSession) -> list[_Row]:
    """As many as a demo may have, and some.

    Raises:
        TrunklineError: the pod does not answer as it should.
    """
    url = f"{pod.internal_url}/api/v1/calls?limit={ROWS_MAX}"
    timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
    try:
        async with http.get(url, timeout=timeout) as answer:
            if not answer.ok:
                raise TrunklineError(f"the pod's call log answers {answer.status}")
            return msgspec.json.decode(await answer.read(), type=list[_Row])
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TrunklineError(f"the pod does not answer any more: {type(error).__name__}") from None


async def _stay(pod: child.Child, console: Console) -> None:
    """Until Ctrl-C, which is no failure here; a second one does not wait for the pod's end."""
    _write(
        console,
        f"\n{'The pod stays' if len(pod.internal_urls) == 1 else 'The pods stay'} up until Ctrl-C. "
        f"Look at {' and '.join(f'{url}/metrics' for url in pod.internal_urls)} and "
        f"{pod.internal_url}/api/v1/calls, or call it again from another terminal:\n"
        f"  trunkline sim carrier --url {pod.public_url}/twilio/voice --auth-token {AUTH_TOKEN}",
    )
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _write(console: Console, text: str) -> None:
    """A line as it is: paths and addresses are neither broken nor taken for markup."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)
