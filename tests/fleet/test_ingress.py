"""Pods of one machine behind an ingress: ours, which is Traefik, and HAProxy as another's.

`trunkline up --pods 2` as a user runs it. HAProxy stands beside Traefik, before the same pods: what
we ask of an ingress is what any can do.
"""

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from acceptance.commands import (
    assert_gone,
    environ,
    running,
)
from fleet.machine import (
    HAPROXY,
    MANY,
    PODS,
    Front,
    Machine,
    assert_lives,
    haproxy,
    rewrite_routes,
    upped,
)
from servers import until


@pytest.fixture(scope="module")
def machine(folder: Path, settings: dict[str, str]) -> Iterator[Machine]:
    with upped(folder, settings) as started:
        yield started


@pytest.fixture(params=["traefik", "haproxy"])
def front(machine: Machine, folder: Path, request: pytest.FixtureRequest) -> Iterator[Front]:
    with httpx.Client(timeout=20) as http, contextlib.ExitStack() as stack:
        if request.param == "traefik":
            yield Front(machine, machine.public_url, http, partial(rewrite_routes, machine))
        else:
            url, reload = stack.enter_context(haproxy(machine, folder))
            yield Front(machine, url, http, reload)


# What we ask of both.


def test_calls_reach_all_pods_and_their_streams_the_one_in_their_path(front: Front) -> None:
    """Each call's audio comes from the pod that was asked, and from no other. New configuration
    cuts no stream.
    """
    machine = front.machine
    first, second = (front.call_to(pod) for pod in PODS)
    with front.stream(*first) as one, front.stream(*second) as other:
        assert first[0] in machine.calls("pod-0") - machine.calls("pod-1")
        assert second[0] in machine.calls("pod-1") - machine.calls("pod-0")
        front.reload()
        assert_lives(one)
        assert_lives(other)


def test_a_killed_pod_hinders_nobody_else_and_comes_back(front: Front) -> None:
    """Every webhook is answered meanwhile, and the other's stream goes on. It comes back under its
    name, and gets its calls' streams.
    """
    machine = front.machine
    before = machine.incarnation("pod-0")
    assert before is not None
    with front.stream(*front.call_to("pod-1")) as other:
        machine.process("pod-0").kill()
        for _ in range(MANY):
            front.call()
        assert_lives(other)
        machine.command.until(lambda: machine.incarnation("pod-0") not in {before, None})
        until(lambda: front.call()[1] == "/pods/pod-0/media", "a webhook to pod-0")
        call = front.call_to("pod-0")
        with front.stream(*call) as own:
            assert_lives(own)
            assert call[0] in machine.calls("pod-0")
        assert_lives(other)
    machine.command.until_said("pod-0 was ended by SIGKILL: it is started again")


def test_nothing_of_ours_is_public(front: Front) -> None:
    """Health, metrics and calls are on the internal ports only."""
    for path in ("/", "/healthz", "/readyz", "/metrics", "/api/v1/pod", "/pods", "/routes/"):
        assert front.http.get(front.url + path).status_code == 404, path


def test_no_stream_has_a_limit_of_time(machine: Machine) -> None:
    """Callers listen for minutes; what a proxy may cut by itself is longer than a call may be."""
    told = [each for each in machine.traefik().cmdline() if "timeout" in each.lower()]
    assert {each.rpartition(".")[2] for each in told} == {
        "readtimeout=15s",  # Of a request; it ends with its head where that asks for a stream.
        "writetimeout=0s",
        "idletimeout=75s",  # Between two requests.
        "gracetimeout=1s",  # When it is told to end.
    }
    assert "timeout tunnel 24h" in HAPROXY


# The beginning and the end of all of them.


def test_a_pod_that_does_not_start_ends_all_of_it(
    machine: Machine, folder: Path, settings: dict[str, str]
) -> None:
    """It says why, and one line more says which; nobody is left, and nothing is tried again."""
    config = folder / "tools.yaml"
    config.write_text(
        "version: 1\n"
        "agents: {a: {instructions: hello, tools: [t]}}\n"
        'numbers: {"*": {agent: a}}\n'
        "tools: {t: {kind: python, target: 'nowhere:nothing', description: none}}\n"
    )
    stores = Path(machine.given["TRUNKLINE_DATA_DIR"]) / "run"
    given = environ(
        folder,
        **{**settings, "PORT": "0", "CONFIG": str(config), "DATA_DIR": str(folder / "other")},
        REDIS_URL=f"unix://{stores}/valkey.sock?db=0",
        DATABASE_URL=f"postgresql://trunkline@/postgres?host={stores}",
    )
    with running(folder, given, "up", "--pods", "2", "--env-file", os.devnull) as failed:
        done = failed.done()
    assert (done.code, done.out) == (1, ""), done
    assert "nowhere" in done.err.splitlines()[0], done.err
    last = done.err.splitlines()[-1]
    assert re.match(r"trunkline: pod-\d did not start: it ended with code 2; see above", last), last
    assert "started again" not in done.out


def test_ctrl_c_drains_and_a_killed_keeper_leaves_nothing(
    machine: Machine, folder: Path, settings: dict[str, str]
) -> None:
    """A call goes on until a second Ctrl-C; SIGKILL takes all with it, in the midst of a start."""
    family = machine.command.family()
    names = sorted(process.name() for process in family)
    assert {"traefik", "postgres", "valkey-server"} <= set(names), names
    with httpx.Client(timeout=20) as http:
        front = Front(machine, machine.public_url, http, lambda: None)
        with front.stream(*front.call_to("pod-1")) as stream:
            machine.command.send(signal.SIGINT)
            machine.command.until_said("draining: calls may end; Ctrl-C again ends them now")
            assert_lives(stream)
            machine.command.send(signal.SIGINT)
            done = machine.command.done()
    assert done.code == 0, done
    assert_gone(family)

    given = environ(folder, **settings)
    with running(folder, given, "up", "--pods", "2", "--env-file", os.devnull) as second:
        second.until(lambda: "traefik" in {each.name() for each in second.family()})
        family = second.family()
        second.send(signal.SIGKILL)
        second.process.wait()
        assert_gone(family)
