"""Pods behind one address: no stream names its pod, and any may get it. Behind both ingresses."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from acceptance.commands import environ, run
from fleet.machine import PODS, Front, Machine, assert_lives, haproxy, upped
from servers import until

CALLS = 6
CARRIED = 'calls_total{direction="inbound",outcome="caller_ended"}'


@pytest.fixture(scope="module")
def machine(folder: Path, settings: dict[str, str]) -> Iterator[Machine]:
    with upped(folder, {**settings, "PINNED_STREAMS": "false"}) as started:
        yield started


@pytest.fixture(params=["traefik", "haproxy"])
def front(machine: Machine, folder: Path, request: pytest.FixtureRequest) -> Iterator[Front]:
    with httpx.Client(timeout=20) as http, contextlib.ExitStack() as stack:
        url = machine.public_url
        if request.param == "haproxy":
            url, _ = stack.enter_context(haproxy(machine, folder))
        yield Front(machine, url, http, lambda: None)


def counted(machine: Machine, series: str) -> float:
    """A series of all pods together."""
    lines = [line for pod in PODS for line in machine.ask(pod, "/metrics").text.splitlines()]
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series))


def test_wherever_streams_come_their_calls_are_carried(front: Front, folder: Path) -> None:
    """Each is answered, and is one pod's in the end; their record is sound."""
    machine = front.machine
    before = counted(machine, CARRIED)
    with contextlib.ExitStack() as streams:
        names = set()
        for _ in range(CALLS):
            call, path, ticket = front.call()
            assert path == "/media"
            names.add(call)
            assert_lives(streams.enter_context(front.stream(call, path, ticket)))
        # Who had a slot reserved lets go at its next beat.
        until(lambda: not machine.calls("pod-0") & machine.calls("pod-1"), "one pod each")
        assert machine.calls("pod-0") | machine.calls("pod-1") == names
    until(lambda: not machine.calls("pod-0") | machine.calls("pod-1"), "all have ended")
    total = counted(machine, CARRIED)
    assert total == before + CALLS
    assert counted(machine, "streams_refused_total") == 0
    sound = f"sound: {total:.0f} calls, "
    until(lambda: calls(machine, folder, "verify").startswith(sound), sound)


def test_streams_came_to_pods_that_had_not_their_slots(machine: Machine, folder: Path) -> None:
    """Else nothing was shown: with two ingresses and two pods in turn, some of them did."""
    kinds = [line for line in calls(machine, folder, "export").splitlines() if "slot_moved" in line]
    assert kinds


def calls(machine: Machine, folder: Path, *arguments: str) -> str:
    """What `trunkline calls` says of the machine's record."""
    stores = Path(machine.given["TRUNKLINE_DATA_DIR"]) / "run"
    given = environ(
        folder,
        REDIS_URL=f"unix://{stores}/valkey.sock?db=0",
        DATABASE_URL=f"postgresql://trunkline@/postgres?host={stores}",
    )
    return run(folder, given, "calls", *arguments).out
