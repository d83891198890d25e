"""`trunkline pods list|drain`: the fleet, as the pods say it themselves."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from trunkline.adapters.embedded.stores import EmbeddedStores
from trunkline.adapters.neighbour_http import HttpNeighbours
from trunkline.adapters.redis import connect as redis
from trunkline.adapters.redis.fleet import RedisFleet
from trunkline.cli.env import EnvFile, read_settings
from trunkline.cli.stores import with_stores
from trunkline.core import neighbour_proof
from trunkline.core.fleet_states import LEASE_MS, Fleet, PodSeen
from trunkline.errors import SettingsError, TrunklineError, naming
from trunkline.ports import PodAt

app = typer.Typer(
    name="pods",
    help="Who lives, how full; let a pod go.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_pods(*, env_file: EnvFile = None) -> None:
    """Every pod that has said lately that it lives.

    `calls` are those with a slot there, `last heard` is how long ago the pod said so: one that has
    been silent for 10 s gets no calls, and its slots are free.
    """
    fleet = with_stores(read_settings(env_file), _look)
    if not fleet.pods:
        print("no pod has said lately that it is there")
        return
    Console().print(_table(fleet))
    print(f"{fleet.inbound + fleet.outbound} calls, {fleet.holders} callers hold")


@app.command()
def drain(
    pod: Annotated[str, typer.Argument(metavar="POD", help="Its name, as `pods list` has it.")],
    *,
    env_file: EnvFile = None,
) -> None:
    """Have a pod hand its calls to the others, then end.

    As SIGTERM does; each call goes at a quiet moment. Calls that find no slot elsewhere stay
    until they end, or until TRUNKLINE_DRAIN_S_MAX. What keeps the pods (`up --pods`, Kubernetes)
    starts it again.
    """
    settings = read_settings(env_file)
    if settings.ticket_key is None and settings.twilio_auth_token is None:
        raise SettingsError(
            "TRUNKLINE_TICKET_KEY: missing; set it, or TRUNKLINE_TWILIO_AUTH_TOKEN, as the pods "
            "have it: orders to them are signed with it"
        )
    key = neighbour_proof.key_of(settings.signing_key())
    seen = named(with_stores(settings, _look), pod)
    if not with_stores(settings, partial(_drain, key=key, at=PodAt(seen.life, seen.address))):
        raise TrunklineError(
            f"{pod} does not obey at {seen.address}: run this where that address is reached, with "
            "the pods' own TRUNKLINE_TICKET_KEY"
        )
    print(f"{pod} drains: {seen.held} calls go to others, or end")


def named(fleet: Fleet, pod: str) -> PodSeen:
    """The present life of the pod that is called so.

    Raises:
        SettingsError: there is none.
    """
    found = next((one for one in fleet.pods if one.life.pod == pod and not one.replaced), None)
    if found is None:
        names = ", ".join(one.life.pod for one in fleet.pods) or "none"
        raise SettingsError(f"POD: no pod is called {pod!r}; there are: {names}")
    return found


def state(seen: PodSeen) -> str:
    """A word for how a pod is."""
    if seen.replaced:
        return "replaced"
    if seen.lease_left_ms <= 0:
        return "silent"
    return "draining" if seen.draining else "working"


async def _look(stores: EmbeddedStores) -> Fleet:
    async with _fleet(stores) as fleet:
        return await fleet.look()


async def _drain(_: EmbeddedStores, *, key: bytes, at: PodAt) -> bool:
    async with HttpNeighbours(key, lambda: time.time_ns() // 1_000_000) as neighbours:
        return await neighbours.drain(at)


@asynccontextmanager
async def _fleet(stores: EmbeddedStores) -> AsyncIterator[RedisFleet]:
    client = redis.connect(stores.redis_url)
    try:
        with naming("TRUNKLINE_REDIS_URL"):
            yield RedisFleet(client)
    finally:
        await client.aclose()


def _table(fleet: Fleet) -> Table:
    table = Table("pod", "state", "calls", "target", "cap", "revision", "last heard", "address")
    for seen in fleet.pods:
        silent_s = max(0, LEASE_MS - seen.lease_left_ms) / 1000
        table.add_row(
            seen.life.pod,
            state(seen),
            str(seen.held),
            str(seen.target),
            str(seen.cap),
            seen.revision,
            f"{silent_s:.1f} s ago",
            seen.address,
        )
    return table
