"""Every command, and what `--help` says of them all."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

ROOMS: Final[Mapping[str, str]] = {
    "demo": "demo",
    "up": "up",
    "pod": "pod",
    "check": "check",
    "migrate": "migrate",
    "calls": "calls",
    "pods": "pods",
    "voice": "voice",
    "loadtest": "loadtest",
    "sim": "sim",
}
"""Which module of this package has a command, or is a group of them."""


class Commands(TyperGroup):
    """Loads a command's module when it is wanted: all of them take seconds and 100 MB."""

    def list_commands(self, ctx: object) -> list[str]:
        """In the order in which people meet them."""
        del ctx
        return list(ROOMS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """A command, or a group of them."""
        del ctx
        if cmd_name not in ROOMS:
            return None
        room = get_group(import_module(f"trunkline.cli.{ROOMS[cmd_name]}").app)
        found = room.commands.get(cmd_name, room)
        assert isinstance(found, TyperCommand | TyperGroup)
        return found


app = typer.Typer(
    name="trunkline",
    cls=Commands,
    help="Answer phone calls with speech-to-speech models, on machines of your own.\n\n"
    "Start with `trunkline demo`: it needs no account and no key. For a number of your own set "
    "three settings and run `trunkline up` (its --help names them).\n\n"
    "Settings come from the environment (TRUNKLINE_…) or a .env file: "
    "docs/reference/settings.md lists them. Exit codes: 0 well, 1 something failed, 2 a setting "
    "or an option is wrong, 130 Ctrl-C.",
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
