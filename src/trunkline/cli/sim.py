"""`trunkline sim carrier` and `sim realtime`: the two ends that cost money, simulated."""

import sys
from typing import Annotated

import typer
import uvloop

from trunkline.errors import SettingsError
from trunkline.sim import serve_carrier_run, serve_realtime
from trunkline.sim.carrier.account import AUTH_TOKEN
from trunkline.sim.realtime import faults
from trunkline.sim.realtime.options import MODELS, RealtimeSimOptions, help_of
from trunkline.sim.serve_carrier_run import SAY, CarrierSimOptions

app = typer.Typer(
    no_args_is_help=True,
    help="Simulators of Twilio and of the realtime model, for tests of your own bot too. "
    "They cost nothing and are stricter than the real ones.",
)

_CARRIER = {
    name: field.metadata["help"] for name, field in CarrierSimOptions.__dataclass_fields__.items()
}
_REALTIME = help_of()


@app.command()
def carrier(
    url: Annotated[str, typer.Option(help=_CARRIER["url"])],
    *,
    calls: Annotated[int, typer.Option(help=_CARRIER["calls"])] = 1,
    rate: Annotated[float, typer.Option(help=_CARRIER["rate"])] = 1.0,
    to: Annotated[str, typer.Option(help=_CARRIER["to"])] = "+15550100001",
    from_: Annotated[str, typer.Option("--from", help=_CARRIER["from_"])] = "+15550100100",
    say: Annotated[list[str], typer.Option(help=_CARRIER["say"])] = list(SAY),  # noqa: B006 - typer copies it
    interrupt_ms: Annotated[int, typer.Option(help=_CARRIER["interrupt_ms"])] = 0,
    press: Annotated[str, typer.Option(help=_CARRIER["press"])] = "",
    fallback_url: Annotated[str | None, typer.Option(help=_CARRIER["fallback_url"])] = None,
    status_url: Annotated[str | None, typer.Option(help=_CARRIER["status_url"])] = None,
    auth_token: Annotated[
        str, typer.Option(envvar="TRUNKLINE_TWILIO_AUTH_TOKEN", help=_CARRIER["auth_token"])
    ] = AUTH_TOKEN,
    rest_port: Annotated[int | None, typer.Option(help=_CARRIER["rest_port"])] = None,
    ca_file: Annotated[str | None, typer.Option(help=_CARRIER["ca_file"])] = None,
    seed: Annotated[int | None, typer.Option(help=_CARRIER["seed"])] = None,
) -> None:
    """Call a bot as Twilio would: signed webhooks, TwiML, media streams, a person on the line.

    Prints progress and a summary; the exit code is 1 if any call failed.
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
    try:
        failed = uvloop.run(serve_carrier_run.run(options))
    except OSError as error:
        raise SettingsError(f"--rest-port {rest_port}: {error.strerror or error}") from error
    sys.exit(failed)


@app.command()
def realtime(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 lets the system choose.")] = 8765,
    key: Annotated[list[str], typer.Option(help=_REALTIME["keys"])] = [],  # noqa: B006 - typer copies it
    model: Annotated[list[str], typer.Option(help=_REALTIME["models"])] = list(MODELS),  # noqa: B006
    speed: Annotated[float, typer.Option(help=_REALTIME["speed"])] = 4.0,
    delta_ms: Annotated[int, typer.Option(help=_REALTIME["delta_ms"])] = 200,
    think_ms: Annotated[int, typer.Option(help=_REALTIME["think_ms"])] = 300,
    transcription_delay_ms: Annotated[
        int, typer.Option(help=_REALTIME["transcription_delay_ms"])
    ] = 400,
    session_s_max: Annotated[float, typer.Option(help=_REALTIME["session_s_max"])] = 3600.0,
    brain: Annotated[str, typer.Option(help=_REALTIME["brain"])] = "",
    fault: Annotated[list[str], typer.Option(help=_REALTIME["faults"])] = [],  # noqa: B006 - typer copies it
) -> None:
    """Be a realtime model: hears recorded words by the audio, answers with recorded words.

    Point a bot at it with its URL instead of the provider's. Runs until Ctrl-C.
    """
    try:
        options = RealtimeSimOptions(
            keys=tuple(key),
            models=tuple(model),
            speed=speed,
            delta_ms=delta_ms,
            think_ms=think_ms,
            transcription_delay_ms=transcription_delay_ms,
            session_s_max=session_s_max,
            brain=brain,
            faults=tuple(faults.parse(each) for each in fault),
        )
        uvloop.run(serve_realtime.run(host, port, options))
    except ValueError as error:
        raise SettingsError(str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"--port {port}: cannot listen on {host}:{port} ({reason})") from error
