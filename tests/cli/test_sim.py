from dataclasses import fields
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from trunkline.cli.sim import app
from trunkline.errors import SettingsError
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.serve_carrier_run import CarrierSimOptions

runner = CliRunner()

NOT_OFFERED = {
    "CarrierSimOptions": {"account_sid", "calls_per_s"},
    "RealtimeSimOptions": {"late_delta", "tokens_per_minute", "keep_audio"},
}
"""Of use to tests in Python only."""


@pytest.mark.parametrize(
    ("name", "options"), [("carrier", CarrierSimOptions), ("realtime", RealtimeSimOptions)]
)
def test_defaults_are_those_of_the_simulators(
    name: str, options: type[CarrierSimOptions | RealtimeSimOptions]
) -> None:
    """The command line offers what the simulators can, and has no numbers of its own."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    offered = {str(parameter.name): parameter.default for parameter in group.commands[name].params}
    renamed = {"keys": "key", "models": "model", "faults": "fault"}
    for field in fields(options):
        if field.name in NOT_OFFERED[options.__name__]:
            continue
        default = offered[renamed.get(field.name, field.name)]
        if field.name != "url":
            given = tuple(default) if isinstance(default, list) else default
            assert given == field.default, field.name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["realtime", "--brain", "{folder}/none.yaml"], "--brain: .*none.yaml cannot be read"),
        (["realtime", "--brain", "{folder}"], r"--brain: .* cannot be read \(Is a directory\)"),
        (["realtime", "--brain", "{folder}/wrong.yaml"], r"wrong.yaml: [^\n]*$"),
        (["realtime", "--fault", "nonsense"], "no fault 'nonsense'; there are: handshake"),
        (["realtime", "--delta-ms", "7"], "delta_ms must be a multiple of 20"),
        (["realtime", "--host", "192.0.2.1"], "--port 8765: cannot listen on 192.0.2.1:8765"),
        (["carrier", "--url", "localhost:8080"], "--url: expected http://HOST/PATH"),
        (["carrier", "--url", "http://[::1"], "--url: expected http://HOST/PATH"),
        (["carrier", "--url", "http://x/", "--to", "me"], "'me' is no phone number"),
        (["carrier", "--url", "http://x/", "--from", "me"], "'me' is no phone number"),
        (["carrier", "--url", "http://x/", "--press", "1a"], "--press: expected keys"),
        (["carrier", "--url", "http://x/", "--say", "qwerty"], "--say 'qwerty': there is no clip"),
        (["carrier", "--url", "http://x/", "--calls", "0"], "--calls 0 does nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_told_in_one_line(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    """Before anything is started."""
    (tmp_path / "wrong.yaml").write_text("a: [\n")
    given = [each.replace("{folder}", str(tmp_path)) for each in arguments]
    done = runner.invoke(app, given)
    with pytest.raises(SettingsError, match=words) as told:
        raise done.exception or AssertionError(done.output)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["realtime", "--port", "65536"],
        ["realtime", "--port", "-1"],
        ["realtime", "--speed", "nan"],
        ["carrier", "--url", "http://x/", "--rate", "nan"],
        ["carrier", "--url", "http://x/", "--rate", "0"],
        ["carrier", "--url", "http://x/", "--calls", "-1"],
        ["carrier", "--url", "http://x/", "--rest-port", "65536"],
        ["carrier", "--url", "http://x/", "--interrupt-ms", "-1"],
        ["carrier"],
    ],
    ids=" ".join,
)
def test_a_number_out_of_range_is_a_usage_error(arguments: list[str]) -> None:
    """Exit code 2, with the option's name."""
    done = runner.invoke(app, arguments)
    assert done.exit_code == 2
    assert (arguments[-2] if len(arguments) > 1 else "--url") in done.output
