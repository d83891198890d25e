import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from trunkline.cli.app import ROOMS, app

runner = CliRunner()


def walk(command: object, *path: str) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Every command that can be typed, with the words that lead to it."""
    if isinstance(command, TyperGroup):
        for name in command.list_commands(
            command.make_context("trunkline", ["--help"], resilient_parsing=True)
        ):
            yield from walk(command.get_command(None, name), *path, name)  # type: ignore[arg-type]  # no command reads it
    else:
        assert isinstance(command, TyperCommand)
        yield path, command


COMMANDS = dict(walk(get_command(app)))


def test_these_are_the_commands() -> None:
    """Each name of the table leads to what it says."""
    assert [" ".join(path) for path in COMMANDS] == [
        "demo",
        "up",
        "pod",
        "check",
        "migrate",
        "calls list",
        "calls show",
        "calls export",
        "calls verify",
        "calls forget",
        "calls purge",
        "pods list",
        "pods drain",
        "voice render",
        "loadtest",
        "sim carrier",
        "sim realtime",
        "sim world",
    ]


ROOTS = [("calls",), ("pods",), ("voice",), ("sim",), ()]


@pytest.mark.parametrize("words", [*COMMANDS, *ROOTS], ids=" ".join)
def test_help_teaches_in_plain_text(words: tuple[str, ...]) -> None:
    """It answers at 80 columns without frames, and no sentence of a list is cut off."""
    shown = runner.invoke(app, [*words, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: trunkline {' '.join(words)}".rstrip())
    assert "..." not in shown.output.replace("[ARGS]...", "").replace("[CALL]...", "")
    assert shown.output.isprintable() or not set(shown.output) & set("\x1b╭│")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(words: tuple[str, ...]) -> None:
    """None is left to be guessed."""
    for parameter in COMMANDS[words].params:
        assert getattr(parameter, "help", None), parameter.name


def test_a_first_word_that_is_no_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, as for a wrong option."""
    done = runner.invoke(app, ["bogus"])
    assert done.exit_code == 2
    assert "No such command 'bogus'" in done.output
    del capsys


def test_a_command_loads_only_what_it_needs() -> None:
    """To say its version, or that a word is wrong, no library of a pod's is loaded."""
    heavy = "{'fastapi', 'sqlalchemy', 'aiohttp', 'redis', 'asyncpg', 'pydantic_settings'}"
    code = f"import sys; from trunkline.cli.main import main; assert not set(sys.modules) & {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
    assert set(ROOMS) == {words[0] for words in COMMANDS}
