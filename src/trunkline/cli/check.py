"""`trunkline check`: what is wrong, and the remedy, before a caller finds out."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import uvloop

from trunkline.check import report
from trunkline.check.items import Status, worst
from trunkline.check.run import run
from trunkline.cli.env import EnvFile, file_of
from trunkline.config.file import ConfigFile
from trunkline.pod.compose_voices import AgentVoices

app = typer.Typer(rich_markup_mode=None)


@app.command()
def check(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Say what is wrong, and the remedy.

    It looks at settings, config file, stores, keys and public URL.

    Changes nothing and costs nothing: it opens a session to each model and closes it, reads the
    Twilio account, and sends the public URL a webhook without a signature, which a pod refuses.
    Best while `trunkline up` runs: then it sees whether the URL leads there.

    A line per item: ok, warn or fail, what, why, and the remedy. Exit code 0 if nothing failed, 1
    if something did, 2 if the command itself is wrong.
    """
    shows = sys.stderr.isatty()
    items = uvloop.run(
        run(
            os.environ,
            file_of(env_file),
            lacking=_lacking,
            progress=_show if shows else _hide,
        )
    )
    if shows:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(report.as_json(items) if as_json else report.lines(items))
    if worst(items) is Status.FAIL:
        raise typer.Exit(1)


def _lacking(read: ConfigFile) -> Sequence[str]:
    """A line for each of the file's texts that has no audio of its own."""
    return AgentVoices(read).faults


def _show(done: int, steps: int, name: str) -> None:
    print(f"\r\x1b[Kchecked {done} of {steps}: {name}", end="", file=sys.stderr, flush=True)


def _hide(done: int, steps: int, name: str) -> None:
    """Nobody watches."""
