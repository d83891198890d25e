"""`trunkline sim carrier` and `sim realtime`, the two ends that cost money; and `sim world`."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop

from trunkline.errors import SettingsError
from trunkline.sim import serve_carrier_run, serve_realtime
from trunkline.sim.carrier.account import AUTH_TOKEN
from trunkline.sim.realtime import faults
from trunkline.sim.realtime.options import MODELS, RealtimeSimOptions, help_of
from trunkline.sim.serve_carrier_run import CALLS_MAX, SAY, CarrierSimOptions
from trunkline.world.run import Plan, told
from trunkline.world.run import run as run_world

PORT_MAX: Final = 65535
WORLDS_MAX: Final = 1_000_000
PODS_MAX: Final = 50

app = typer.Typer(
    name="sim",
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Simulators of Twilio and of the realtime model.\n\n"
    "For tests of your own bot too: they cost nothing and are stricter than the real ones. "
    "docs/howto/simulate-twilio.md and docs/howto/simulators.md explain them.",
)

_CARRIER = {
    name: field.metadata["help"] for name, field in CarrierSimOptions.__dataclass_fields__.items()
}
_REALTIME = help_of()


@app.command()
def carrier(
    url: Annotated[str, typer.Option(help=_CARRIER["url"])],
    *,
    calls: Annotated[int, typer.Option(min=0, max=CALLS_MAX, help=_CARRIER["calls"])] = 1,
    rate: Annotated[float, typer.Option(min=0.001, max=1000, help=_CARRIER["rate"])] = 1.0,
    to: Annotated[str, typer.Option(help=_CARRIER["to"])] = "+15550100001",
    from_: Annotated[str, typer.Option("--from", help=_CARRIER["from_"])] = "+15550100100",
    say: Annotated[list[str], typer.Option(help=_CARRIER["say"])] = list(SAY),  # noqa: B006 - typer copies it
    interrupt_ms: Annotated[int, typer.Option(min=0, help=_CARRIER["interrupt_ms"])] = 0,
    press: Annotated[str, typer.Option(help=_CARRIER["press"])] = "",
    fallback_url: Annotated[str | None, typer.Option(help=_CARRIER["fallback_url"])] = None,
    status_url: Annotated[str | None, typer.Option(help=_CARRIER["status_url"])] = None,
    auth_token: Annotated[
        str, typer.Option(envvar="TRUNKLINE_TWILIO_AUTH_TOKEN", help=_CARRIER["auth_token"])
    ] = AUTH_TOKEN,
    rest_port: Annotated[
        int | None, typer.Option(min=0, max=PORT_MAX, help=_CARRIER["rest_port"])
    ] = None,
    ca_file: Annotated[str | None, typer.Option(help=_CARRIER["ca_file"])] = None,
    seed: Annotated[int | None, typer.Option(help=_CARRIER["seed"])] = None,
) -> None:
    """Call a bot as Twilio would.

    Signed webhooks, TwiML, media streams, and a person on the line who speaks recorded words.
    Prints progress and a summary; the exit code is 1 if any call failed.

    trunkline sim carrier --url http://127.0.0.1:8080/twilio/voice --calls 20 --rate 2
    """
    options = CarrierSimOptions(
        url=url,
        calls=calls,
        rate=rate,
        to=to,
        from_=from_,
        say=say,
        interrupt_ms=interrupt_ms,
        press=press,
        fallback_url=fallback_url,
        status_url=status_url,
        auth_token=auth_token,
        rest_port=rest_port,
        ca_file=ca_file,
        seed=seed,
    )
    sys.exit(uvloop.run(serve_carrier_run.run(options)))


@app.command()
def realtime(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=PORT_MAX, help="Port to listen on; 0 lets the system choose."),
    ] = 8765,
    key: Annotated[list[str], typer.Option(help=_REALTIME["keys"])] = [],  # noqa: B006 - typer copies it
    model: Annotated[list[str], typer.Option(help=_REALTIME["models"])] = list(MODELS),  # noqa: B006
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help=_REALTIME["speed"])] = 4.0,
    delta_ms: Annotated[int, typer.Option(help=_REALTIME["delta_ms"])] = 200,
    think_ms: Annotated[int, typer.Option(min=0, help=_REALTIME["think_ms"])] = 300,
    transcription_delay_ms: Annotated[
        int, typer.Option(min=0, help=_REALTIME["transcription_delay_ms"])
    ] = 400,
    session_s_max: Annotated[
        float, typer.Option(min=0.01, max=86400, help=_REALTIME["session_s_max"])
    ] = 3600.0,
    marks: Annotated[bool, typer.Option("--marks", help=_REALTIME["marks"])] = False,
    brain: Annotated[str, typer.Option(help=_REALTIME["brain"])] = "",
    fault: Annotated[list[str], typer.Option(help=_REALTIME["faults"])] = [],  # noqa: B006 - typer copies it
) -> None:
    """Be a realtime model that hears and speaks recorded words.

    Point a bot at it with its URL instead of the provider's, for a pod:
    TRUNKLINE_REALTIME_URL=ws://127.0.0.1:8765/v1/realtime. Runs until Ctrl-C.
    """
    if brain:
        _expect_readable(Path(brain))
    try:
        options = RealtimeSimOptions(
            keys=tuple(key),
            models=tuple(model),
            speed=speed,
            delta_ms=delta_ms,
            think_ms=think_ms,
            transcription_delay_ms=transcription_delay_ms,
            session_s_max=session_s_max,
            marks=marks,
            brain=brain,
            faults=tuple(faults.parse(each) for each in fault),
        )
        uvloop.run(serve_realtime.run(host, port, options))
    except ValueError as error:
        # A parser's text may draw arrows below the line; what is wrong stands on one.
        raise SettingsError(" ".join(str(error).split())) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"--port {port}: cannot listen on {host}:{port} ({reason})") from error


@app.command()
def world(
    *,
    seed: Annotated[int, typer.Option(help="The first world's seed.")] = 1,
    worlds: Annotated[
        int, typer.Option(min=1, max=WORLDS_MAX, help="So many seeds, in order.")
    ] = 1,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long calls come, virtually.")] = 5.0,
    hours: Annotated[float, typer.Option(min=0.0, help="The same in hours; wins.")] = 0.0,
    pods: Annotated[int, typer.Option(min=1, max=PODS_MAX, help="Pods at first.")] = 3,
    calls: Annotated[int, typer.Option(min=0, max=CALLS_MAX, help="Calls in all.")] = 30,
    calm: Annotated[bool, typer.Option("--calm", help="No weather.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Tell the last of the story.")] = False,
) -> None:
    """Play a fleet under faults, from one seed.

    Pods, carrier, model and stores are in one process, on a clock that jumps. After each step it
    is looked at whether every promise was kept; one that was not is told with its seed, and the
    same seed comes to the same step again. The exit code is 1 then.

    trunkline sim world --seed 7 --minutes 5 --pods 3 --calls 30
    """
    failed = 0
    for each in range(seed, seed + worlds):
        plan = Plan(each, hours * 60 or minutes, pods, calls, weather=not calm)
        story = run_world(plan)
        print(told(story), end="")
        if trace or story.broken:
            print("".join(f"  {line}\n" for line in story.trace), end="")
        failed += bool(story.broken)
    sys.exit(1 if failed else 0)


def _expect_readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise SettingsError(f"--brain: {path} cannot be read ({error.strerror})") from None
