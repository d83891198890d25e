"""`trunkline demo`: see one pod, or several, answer simulated callers, with real stores."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from trunkline.demo import run as demonstration

app = typer.Typer(rich_markup_mode=None)


@app.command()
def demo(
    *,
    calls: Annotated[int, typer.Option(min=1, max=500, help="How many people call.")] = 12,
    rate: Annotated[float, typer.Option(min=0.1, max=20, help="New calls a second.")] = 2.0,
    pods: Annotated[int, typer.Option(min=1, max=16, help="Pods behind an ingress.")] = 1,
    data_dir: Annotated[Path, typer.Option(help="Where the demo's stores lie.")] = Path(
        "trunkline-data/demo"
    ),
    stay: Annotated[
        bool | None,
        typer.Option(help="Stay up until Ctrl-C afterwards. Default: where there is a terminal."),
    ] = None,
) -> None:
    """See it work: one pod, or several, answers simulated callers.

    Needs no account and no key. The pod is the real one, a process of its own, with PostgreSQL and
    Valkey from their wheels; the carrier and the realtime model are simulated in this process. The
    speech was recorded with espeak-ng.

    A table shows the calls while they talk; then come figures and one transcript. In a terminal the
    pod stays up for you to look around, until Ctrl-C. Nothing is left running.

    With --pods 3 three of them stand behind Traefik (the extra trunkline[ingress]).
    """
    stays = sys.stdin.isatty() and sys.stdout.isatty() if stay is None else stay
    plan = demonstration.Demo(calls, rate, data_dir.absolute(), stays, pods)
    environ = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    sys.exit(uvloop.run(demonstration.run(plan, environ, Console())))


def _is_ours(name: str) -> bool:
    """The demo runs with settings of its own, whatever is set for a real pod."""
    return name.startswith("TRUNKLINE_") or name == "OPENAI_API_KEY"
