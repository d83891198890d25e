"""`make bench`: pod and bare relay in turn, each on one core, far ends and stores on another."""

import argparse
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import msgspec
import trustme
import uvloop

from bench import targets
from bench.measure import Cost, cost
from bench.targets import Target
from trunkline.adapters.embedded.stores import Embedded, EmbeddedStores
from trunkline.adapters.postgres.migrate import migrate
from trunkline.loadtest.ends import Ends, Wanted
from trunkline.loadtest.percentiles import Percentiles
from trunkline.loadtest.plan import Load
from trunkline.sim.carrier.account import AUTH_TOKEN, Account
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.serve_carrier import CarrierOptions, serve_carrier
from trunkline.sim.serve_realtime import RealtimeSimulator, serve_realtime
from trunkline.sim.speech import recorded

TARGET_CORE, OUR_CORE = 0, 1
RATIO_MAX = 1.9
"""The budget: CPU of the pod's call-second over the relay's (docs/explain/speed.md)."""


def main() -> int:
    """Measure, and print. Exit code 1: over the budget."""
    asked = _asked()
    if not {TARGET_CORE, OUR_CORE} <= os.sched_getaffinity(0):
        sys.exit("bench: two cores are needed, one for what is measured and one for the rest")
    os.sched_setaffinity(0, {OUR_CORE})
    load = Load(asked.calls, asked.rate, (asked.calls - 1) / asked.rate + 3 + asked.seconds)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # The stores run as somebody else where we are root.
        with Embedded(Path(folder) / "stores") as stores:
            costs = uvloop.run(_measure(asked, load, stores, Path(folder)))
    _print(costs)
    if asked.json:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(costs)) + b"\n")
    pods = [each.cpu_ms for each in costs if each.name == "pod"]
    relays = [each.cpu_ms for each in costs if each.name == "relay"]
    return int(bool(pods and relays) and sum(pods) / sum(relays) > RATIO_MAX)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--calls", type=int, default=200, help="calls at once (200)")
    parser.add_argument("--rate", type=float, default=20, help="new calls a second (20)")
    parser.add_argument("--seconds", type=float, default=20, help="how long all are up (20)")
    parser.add_argument("--rounds", type=int, default=1, help="relay and pod, so many times (1)")
    parser.add_argument("--only", choices=("pod", "relay"), help="measure one of them")
    parser.add_argument("--tls", action="store_true", help="TLS to the model")
    parser.add_argument("--json", type=Path, help="write the figures to a file too")
    return parser.parse_args()


async def _measure(
    asked: argparse.Namespace, load: Load, stores: EmbeddedStores, folder: Path
) -> list[Cost]:
    await migrate(stores.database_url)
    costs = []
    for number in range(2 * asked.rounds):
        name = ("relay", "pod")[number % 2]
        if asked.only not in {None, name}:
            continue
        async with (
            _model(folder, tls=asked.tls) as (model, ca_file),
            _target(name, asked.calls, stores, folder, model, ca_file) as target,
            _ends(target, model, folder, asked.calls) as ends,
        ):
            costs.append(await cost(target, ends, load, seed=number // 2))
    return costs


@asynccontextmanager
async def _model(folder: Path, *, tls: bool) -> AsyncIterator[tuple[RealtimeSimulator, str | None]]:
    context, ca_file = None, None
    if tls:
        authority = trustme.CA()
        ca_file = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(ca_file)
        context = targets.server_context(authority)
    options = RealtimeSimOptions(keep_audio=False, marks=True)
    async with serve_realtime("127.0.0.1", 0, options, tls=context) as model:
        yield model, ca_file


@asynccontextmanager
async def _target(
    name: str,
    calls: int,
    stores: EmbeddedStores,
    folder: Path,
    model: RealtimeSimulator,
    ca_file: str | None,
) -> AsyncIterator[Target]:
    if name == "relay":
        async with targets.relay(folder, model.url, TARGET_CORE, ca_file) as target:
            yield target
    else:
        more = {"SSL_CERT_FILE": ca_file} if ca_file else {}
        wanted = replace(_WANTED, data_dir=folder, calls=calls)
        async with targets.pod(stores, wanted, model.url, TARGET_CORE, more) as target:
            yield target


_WANTED = Wanted(
    url=None,
    to="+15550100001",
    auth_token=AUTH_TOKEN,
    status_url=None,
    ca_file=None,
    model_port=None,
    marks=True,
    metrics_url=None,
    data_dir=Path(),
    calls=0,
)


@asynccontextmanager
async def _ends(
    target: Target, model: RealtimeSimulator, folder: Path, calls: int
) -> AsyncIterator[Ends]:
    wanted = replace(_WANTED, url=target.url, data_dir=folder, calls=calls)
    options = CarrierOptions(
        voice=recorded(),
        voice_url=target.url,
        account=Account(auth_token=AUTH_TOKEN),
        marks_from=1,
    )
    async with serve_carrier(options) as carrier, aiohttp.ClientSession() as http:
        yield Ends(carrier, model, target.url, None, wanted, None, http)


def _print(costs: list[Cost]) -> None:
    def way(found: Percentiles | None) -> str:
        return "not measured" if found is None else f"{found.p50:.2f} / {found.p99:.2f} ms"

    for each in costs:
        sys.stdout.write(
            f"{each.name}: {each.calls} calls, {each.cpu_ms:.2f} ms CPU a call-second "
            f"({each.calls_a_core:.0f} calls a core), {each.mb_a_call:.3f} MB a further call, "
            f"ready in {each.ready_s:.2f} s\n"
            f"  added p50/p99: to the model {way(each.to_model)}, to the caller "
            f"{way(each.to_caller)}; interruption to silence {way(each.silence)}\n"
            f"  failed {each.failed}, holes {each.holes}, lost {each.lost}, missed turns "
            f"{each.missed}, false turns {each.false}; far ends {each.far_ends_ms:.2f} ms a "
            f"call-second, late {way(each.own_late)}\n"
        )
    pods = [each.cpu_ms for each in costs if each.name == "pod"]
    relays = [each.cpu_ms for each in costs if each.name == "relay"]
    if pods and relays:
        sys.stdout.write(
            f"ratio of the pod to the bare relay: {sum(pods) / sum(relays):.2f} "
            f"(budget {RATIO_MAX})\n"
        )


if __name__ == "__main__":
    sys.exit(main())
