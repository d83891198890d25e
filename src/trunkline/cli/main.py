"""The command line's root: `trunkline COMMAND`."""

import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer

from trunkline.cli import calls, demo, serve, sim
from trunkline.errors import SettingsError, TrunklineError

EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_INTERRUPTED: Final = 130

app = typer.Typer(
    name="trunkline",
    help="Answer phone calls with speech-to-speech models, on machines of your own.\n\n"
    "Start with `trunkline demo`: it needs no account and no key. Settings come from the "
    "environment (TRUNKLINE_…) or a .env file: docs/reference/settings.md lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callbacks get values
    if wanted:
        print(f"trunkline {version('trunkline')}")
        raise typer.Exit


@app.callback()
def trunkline(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say it and leave."),
    ] = False,
) -> None:
    """Answer phone calls with speech-to-speech models, on machines of your own."""


app.command()(demo.demo)
app.command()(serve.up)
app.command()(serve.pod)
app.command()(serve.migrate)
app.add_typer(calls.app, name="calls")
app.add_typer(sim.app, name="sim")


def main() -> None:
    """Run a command. What a user can mend is one line: exit code 2 for settings, 1 for others."""
    try:
        app()
    except SettingsError as error:
        _leave(error, EXIT_SETTINGS)
    except TrunklineError as error:
        _leave(error, EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _leave(error: TrunklineError, code: int) -> None:
    for line in str(error).splitlines():
        print(f"trunkline: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
