"""The far ends of a load test: always a carrier; on request a model, and a pod of our own."""

import importlib.resources
import resource
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import aiohttp

from trunkline.demo import child
from trunkline.errors import SettingsError
from trunkline.loadtest import timeline
from trunkline.loadtest.plan import CALLS_MAX
from trunkline.loadtest.timeline import Fault
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN, Account
from trunkline.sim.carrier.faults import NO_FAULTS, Faults, Signature
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.serve_carrier import Carrier, CarrierOptions, serve_carrier
from trunkline.sim.serve_realtime import RealtimeSimulator, serve_realtime
from trunkline.sim.speech import recorded
from trunkline.sim.spread import Spread

UNSIGNED: Final = Faults(webhook_signature=Signature.MISSING, stream_signature=Signature.MISSING)
"""For a bot that checks no signature, or whose token nobody gave us."""

SPARE_SHARE: Final = 0.25
"""Our own pod takes so many calls more than are made: an ended one frees its slot a moment late."""

SPARE_MIN: Final = 10

FILES_PER_CALL: Final = 4
FILES_SPARE: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which ends there shall be."""

    url: str | None
    """The webhook; None for a pod of our own."""
    to: str
    auth_token: str | None = field(repr=False)
    status_url: str | None
    ca_file: str | None
    model_port: int | None
    """Where our model listens for somebody else's pod; None for none."""
    marks: bool
    """Mark the callers' audio although the model runs elsewhere."""
    metrics_url: str | None
    data_dir: Path
    calls: int
    """Calls at once, at most."""
    seed: int | None = None


class Ends:
    """What calls need, and what faults strike. Made by `open_ends`."""

    def __init__(
        self,
        carrier: Carrier,
        model: RealtimeSimulator | None,
        url: str,
        status_url: str | None,
        wanted: Wanted,
        metrics_url: str | None,
        http: aiohttp.ClientSession,
    ) -> None:
        self.carrier = carrier
        self.url = url
        self.to = wanted.to
        self.status_url = status_url
        self.metrics_url = metrics_url
        self.http = http
        self.usual = NO_FAULTS if wanted.auth_token else UNSIGNED
        self.model = model

    def strike(self, faults: Iterable[Fault], zero: float) -> None:
        """A load begins: set the model's switches; they know their time themselves."""
        self.carrier.pacer.late_us = Spread()
        if self.model is not None:
            for switch in timeline.switches(faults, zero - self.model.faults.started_at):
                self.model.put(switch)

    def hit(self, name: Literal["reset", "stall", "expire"]) -> None:
        """Strike every session that is open now."""
        if self.model is None:
            return
        act = {"reset": self.model.reset, "stall": self.model.stall, "expire": self.model.expire}
        for record in self.model.sessions:
            act[name](record.name)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        if self.model is not None:
            self.model.faults.clear()

    @property
    def frames_late(self) -> Spread:
        """How late the carrier's frames were since the load began."""
        return self.carrier.pacer.late_us

    @property
    def sessions(self) -> list[SessionRecord]:
        """The model's sessions, closed ones too; none where the model is not ours."""
        return [] if self.model is None else self.model.records


@asynccontextmanager
async def open_ends(wanted: Wanted, environ: Mapping[str, str]) -> AsyncIterator[Ends]:
    """Start what is wanted; with it all goes.

    Raises:
        SettingsError: a port or a folder can't be used.
        TrunklineError: our own pod did not start.
    """
    _allow_files(wanted.calls)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        model = await _model(stack, wanted)
        url, metrics_url, status_url = wanted.url, wanted.metrics_url, wanted.status_url
        if url is None:
            assert model is not None
            given = {**environ, **own_environ(wanted, model.url)}
            log = wanted.data_dir / "pod.log"
            pod = await stack.enter_async_context(child.pod(given, log=log, http=http))
            url = f"{pod.public_url}/twilio/voice"
            status_url = f"{pod.public_url}/twilio/status"
            metrics_url = f"{pod.internal_url}/metrics"
        token = wanted.auth_token or AUTH_TOKEN
        options = CarrierOptions(
            voice=recorded(),
            voice_url=url,
            account=Account(auth_token=token),
            status_url=status_url,
            seed=wanted.seed,
            ca_file=wanted.ca_file,
            marks_from=1 if wanted.marks or model is not None else None,
        )
        carrier = await stack.enter_async_context(serve_carrier(options))
        yield Ends(carrier, model, url, status_url, wanted, metrics_url, http)


async def _model(stack: AsyncExitStack, wanted: Wanted) -> RealtimeSimulator | None:
    if wanted.url is not None and wanted.model_port is None:
        return None
    port = wanted.model_port or 0
    options = RealtimeSimOptions(keep_audio=False, marks=True)
    try:
        return await stack.enter_async_context(serve_realtime("127.0.0.1", port, options))
    except OSError as error:
        raise SettingsError(
            f"--model {port}: cannot listen on 127.0.0.1:{port} ({error.strerror}); "
            "name a free port"
        ) from error


def own_environ(wanted: Wanted, model_url: str) -> dict[str, str]:
    """The settings of a pod of our own."""
    config = importlib.resources.files("trunkline.demo") / "line" / "trunkline.yaml"
    spare = max(SPARE_MIN, int(wanted.calls * SPARE_SHARE))
    return {
        "TRUNKLINE_POD_NAME": "loadtest-0",
        "TRUNKLINE_DATA_DIR": str(wanted.data_dir),
        "TRUNKLINE_CONFIG": str(config),
        "TRUNKLINE_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TRUNKLINE_TWILIO_AUTH_TOKEN": wanted.auth_token or AUTH_TOKEN,
        "TRUNKLINE_REALTIME_URL": model_url,
        "TRUNKLINE_REALTIME_API_KEY": f"sim-{secrets.token_hex(8)}",
        "TRUNKLINE_CALLS_MAX": str(min(CALLS_MAX, wanted.calls + spare)),
        "TRUNKLINE_DRAIN_S_MAX": "5",
    }


def _allow_files(calls: int) -> None:
    """Each call has sockets at both ends; our own pod inherits the limit.

    Raises:
        SettingsError: the system allows too few.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = calls * FILES_PER_CALL + FILES_SPARE
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SettingsError(
            f"--calls {calls} needs {needed} open files and the system allows {hard}: "
            "raise `ulimit -n`, or lower --calls"
        )
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
