"""`trunkline up`: a pod, or several, and the stores they need, on one machine."""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop

from trunkline.cli import start
from trunkline.cli.env import EnvFile
from trunkline.errors import SettingsError, naming

PR_SET_PDEATHSIG: Final = 1

PODS_MAX: Final = 64
"""Pods of one machine: most have fewer cores, so a larger number is a typing error."""

app = typer.Typer(rich_markup_mode=None)

EndWithParent = Annotated[
    int | None,
    typer.Option("--end-with-parent", metavar="PID", hidden=True, help="Be killed when it ends."),
]


Pods = Annotated[
    int,
    typer.Option(
        min=1,
        max=PODS_MAX,
        help="Pods on this machine, behind Traefik (the extra trunkline[ingress]).",
    ),
]


@app.command()
def up(*, pods: Pods = 1, env_file: EnvFile = None, end_with_parent: EndWithParent = None) -> None:
    """Answer calls on this one machine, its stores included.

    Needs TRUNKLINE_PUBLIC_URL (where Twilio reaches port 8080 of this machine; a tunnel's URL will
    do), TRUNKLINE_TWILIO_AUTH_TOKEN, and TRUNKLINE_REALTIME_API_KEY or OPENAI_API_KEY.

    TRUNKLINE_CONFIG names your trunkline.yaml. Without it, one built-in agent answers every number.

    Without TRUNKLINE_REDIS_URL and TRUNKLINE_DATABASE_URL, Valkey and PostgreSQL are started under
    TRUNKLINE_DATA_DIR and end with this process.

    With --pods N the pods are processes of their own, pod-0 and so on; one that ends is started
    again. TRUNKLINE_PORT is their ingress's, TRUNKLINE_INTERNAL_PORT the first pod's, and the
    others' follow.

    Ctrl-C or SIGTERM drains: no new calls, and the present ones may end. Ctrl-C again ends them.

    docs/howto/first-number.md leads from nothing to the first call.
    """
    if end_with_parent is not None:
        tie_to(end_with_parent)
    given = start.read(env_file)
    if pods > 1:
        _several(given, env_file, pods)
        return
    if given.settings.tls_cert is not None:
        raise SettingsError(
            "TRUNKLINE_TLS_CERT: one pod alone speaks HTTP; unset it, or start `trunkline up --pods"
            " 2` or more, whose ingress speaks TLS"
        )
    # A wrong setting is told a second earlier.
    from trunkline.adapters.postgres import migrate as schema  # noqa: PLC0415
    from trunkline.cli import serve  # noqa: PLC0415
    from trunkline.cli.stores import own_stores  # noqa: PLC0415

    with serve.listening(given) as sockets, own_stores(given.settings) as stores:
        with naming("TRUNKLINE_DATABASE_URL"):
            uvloop.run(schema.migrate(stores.database_url))
        serve.serve(given, sockets, stores.redis_url, stores.database_url)


def _several(given: start.Start, env_file: Path | None, pods: int) -> None:
    from trunkline.adapters.postgres import migrate as schema  # noqa: PLC0415
    from trunkline.cli import several  # noqa: PLC0415
    from trunkline.cli.stores import own_stores  # noqa: PLC0415

    with several.places(given.settings, pods) as held, own_stores(given.settings) as stores:
        with naming("TRUNKLINE_DATABASE_URL"):
            uvloop.run(schema.migrate(stores.database_url))
        several.run(given, env_file, held, stores)


def tie_to(parent: int) -> None:
    """Let the kernel kill us when this parent of ours ends, SIGKILL included.

    Our stores end with us.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        sys.exit(1)  # It ended before the kernel was told: nobody would ever end us.
