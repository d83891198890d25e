"""A whole scene on loopback: real stores, one pod in this process, both far ends simulated.

    async with scene(redis_url, database_url) as here:
        report = await here.call(Listen(), Say("what are your prices"), Listen(), HangUp())
        facts = await here.facts(report.sid)

When the block ends, nothing of any call may be left: no session at the model, no stream at the
carrier, no call, socket, task or unwritten fact in the pod. The scene checks it itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from pydantic import JsonValue

from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.config import settings
from trunkline.config.file import ConfigFile, read
from trunkline.config.settings import Settings
from trunkline.config.source import Source
from trunkline.core import facts
from trunkline.core.facts import Fact
from trunkline.core.ids import CallSid
from trunkline.core.record import Entry
from trunkline.pod import compose
from trunkline.pod.life import Pod
from trunkline.ports import LoggedCall
from trunkline.sim.caller import HangUp, Listen, Say, Script, Step
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN, Account
from trunkline.sim.carrier.faults import Faults
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.realtime.brain import Brain
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.serve_carrier import Carrier, CarrierOptions, serve_carrier
from trunkline.sim.serve_realtime import RealtimeSimulator, serve_realtime
from trunkline.sim.speech import recorded

KEY: Final = "sk-scene"
OUR_NUMBER: Final = "+15550100001"
CALLER: Final = "+15550100099"
SCENE_S_MAX: Final = 90
CLEAN_S_MAX: Final = 15
POLL_S: Final = 0.02

CONFIG: Final = Path(__file__).with_name("scene.yaml")


@dataclass
class Stage:
    """What a test has in its hands, wherever the pod runs."""

    public_url: str
    """The pod's public port."""
    internal_url: str
    """The pod's internal port."""
    carrier: Carrier
    model: RealtimeSimulator
    book: PostgresCallBook
    http: aiohttp.ClientSession
    more_models: Mapping[str, RealtimeSimulator] = field(default_factory=dict, kw_only=True)
    """Models besides the usual one, by name."""

    async def call(
        self,
        *script: Step,
        to: str = OUR_NUMBER,
        from_: str = CALLER,
        faults: Faults | None = None,
    ) -> CallReport:
        """One person calls; returns when the call is over."""
        return await self.carrier.place_call(
            to=to, from_=from_, script=script, faults=faults, give_up_s=SCENE_S_MAX
        )

    async def logged(self, call: str) -> LoggedCall:
        """The call's row, once it has ended and all its facts are there."""
        async with asyncio.timeout(CLEAN_S_MAX):
            while (row := await self.book.call(CallSid(call))) is None or row.outcome is None:  # noqa: ASYNC110 - the log is another process: it tells nobody
                await asyncio.sleep(POLL_S)
        return row

    async def entries(self, call: str) -> list[Entry]:
        """The call's chain, once the call has ended."""
        await self.logged(call)
        return await self.book.entries(CallSid(call))

    async def facts(self, call: str) -> list[Fact]:
        """The call's facts, once it has ended."""
        return [
            msgspec.json.decode(entry.payload, type=facts.Fact)
            for entry in await self.entries(call)
        ]

    async def get(self, path: str) -> str:
        """What the internal port answers."""
        async with self.http.get(self.internal_url + path) as response:
            return await response.text()

    async def view(self) -> Mapping[str, JsonValue]:
        """What the pod says of itself."""
        view: Mapping[str, JsonValue] = msgspec.json.decode(await self.get("/api/v1/pod"))
        return view

    def sessions(self) -> list[SessionRecord]:
        """Sessions that had a caller, of all models."""
        models = (self.model, *self.more_models.values())
        return [record for model in models for record in model.records if record.updates]


@dataclass
class Scene(Stage):
    """The same with the pod in this process."""

    pod: Pod
    settings: Settings
    running: asyncio.Task[None]
    """The pod's life; a test may end it with `pod.stop()`."""

    async def view(self) -> Mapping[str, JsonValue]:
        """What the pod says of itself, also when its ports are closed."""
        return self.pod.view().model_dump()

    async def until(self, fact: Callable[[], bool]) -> None:
        """Turn the loop until something is so."""
        async with asyncio.timeout(CLEAN_S_MAX):
            while not fact():  # noqa: ASYNC110 - counts tell nobody when they change
                await asyncio.sleep(POLL_S)

    async def counted(self, series: str) -> float:
        """A metric's value by its name and labels; 0 where nothing was counted."""
        for line in (await self.get("/metrics")).splitlines():
            if line.startswith(f"{series} "):
                return float(line.rpartition(" ")[2])
        return 0.0


@asynccontextmanager
async def scene(
    redis_url: str,
    database_url: str,
    *,
    config: str | None = None,
    environ: Mapping[str, str] | None = None,
    model: RealtimeSimOptions | None = None,
    brain: Brain | None = None,
    more_models: Mapping[str, RealtimeSimOptions] | None = None,
    watched: Path | None = None,
    seed: int = 1,
) -> AsyncIterator[Scene]:
    """Play in it, then see that nothing is left.

    Of `more_models` each is served too; `@NAME@` in the config stands for its address. The config
    is written to `watched`, where there is one: the pod reads it again when it changes.
    """
    loop = asyncio.get_running_loop()
    content = CONFIG.read_text() if config is None else config
    options = model or RealtimeSimOptions(keys=(KEY,))
    async with AsyncExitStack() as far:
        realtime = await far.enter_async_context(serve_realtime("127.0.0.1", 0, options, brain))
        more: dict[str, RealtimeSimulator] = {}
        for name, other in (more_models or {}).items():
            serving = serve_realtime("127.0.0.1", 0, other, brain)
            more[name] = await far.enter_async_context(serving)
            content = content.replace(f"@{name}@", more[name].url)
        given, sockets = _settings(realtime.url, environ or {})
        file, source = _config(content, watched)
        ready: asyncio.Future[Pod] = loop.create_future()
        async with asyncio.timeout(SCENE_S_MAX), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(
                _run(given, file, source, sockets, redis_url, database_url, ready.set_result)
            )
            pod = await ready
            pool = await postgres.connect(database_url)
            try:
                public_url = f"http://127.0.0.1:{pod.public_port}"
                async with (
                    aiohttp.ClientSession() as http,
                    serve_carrier(carrier_options(public_url, seed)) as carrier,
                ):
                    here = Scene(
                        public_url,
                        f"http://127.0.0.1:{pod.internal_port}",
                        carrier,
                        realtime,
                        PostgresCallBook(pool),
                        http,
                        pod,
                        given,
                        running,
                        more_models=more,
                    )
                    yield here
                    await assert_clean(here)
            finally:
                await pool.close()
                pod.stop()


def _config(content: str, watched: Path | None) -> tuple[ConfigFile, Source | None]:
    if watched is None:
        return read(content.encode(), CONFIG), None
    watched.write_text(content)
    source = Source(watched, {})
    return source.load().file, source


def _settings(realtime_url: str, environ: Mapping[str, str]) -> tuple[Settings, compose.Sockets]:
    given = {
        "TRUNKLINE_HOST": "127.0.0.1",
        "TRUNKLINE_PORT": "0",
        "TRUNKLINE_INTERNAL_PORT": "0",
        "TRUNKLINE_POD_NAME": "pod-0",
        "TRUNKLINE_PUBLIC_URL": "http://127.0.0.1:1",
        "TRUNKLINE_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TRUNKLINE_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TRUNKLINE_REALTIME_URL": realtime_url,
        "TRUNKLINE_REALTIME_API_KEY": KEY,
        "TRUNKLINE_DRAIN_S_MAX": "5",
        **environ,
    }
    # The public URL holds the port, which is known when it is bound.
    sockets = compose.listen(settings.load(given, None))
    port = sockets.public.getsockname()[1]
    url = {"TRUNKLINE_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    return settings.load({**given, **url}, None), sockets


async def _run(
    given: Settings,
    file: ConfigFile,
    source: Source | None,
    sockets: compose.Sockets,
    redis_url: str,
    database_url: str,
    on_ready: Callable[[Pod], None],
) -> None:
    try:
        await compose.run_pod(
            given,
            file,
            file.resolve_secrets({}),
            sockets=sockets,
            redis_url=redis_url,
            database_url=database_url,
            source=source,
            on_ready=on_ready,
        )
    finally:
        sockets.close()


def carrier_options(
    public_url: str, seed: int, account: Account | None = None, marks_from: int | None = None
) -> CarrierOptions:
    """A carrier whose number leads to the pod at this URL."""
    return CarrierOptions(
        voice=recorded(),
        voice_url=f"{public_url}/twilio/voice",
        status_url=f"{public_url}/twilio/status",
        account=account or Account(),
        seed=seed,
        rest_port=0,
        marks_from=marks_from,
    )


async def assert_clean(here: Stage) -> None:
    """After the calls: nothing of them is left anywhere."""
    loop = asyncio.get_running_loop()
    late = loop.time() + CLEAN_S_MAX
    while True:
        view = await here.view()
        sessions = view["sessions"]
        assert isinstance(sessions, dict)
        left = {
            "live calls at the carrier": len(here.carrier.live),
            "sessions that had a caller": sum(r.closed_at is None for r in here.sessions()),
            "calls": view["calls_active"],
            "reserved slots": view["calls_reserved"],
            "media sockets": view["media_sockets"],
            "sessions lent": sessions["lent"],
            "facts not written": view["facts_backlog"],
            "tasks of calls": len(call_tasks()),
        }
        if not any(left.values()):
            return
        assert loop.time() < late, f"left behind: {left}"
        await asyncio.sleep(POLL_S)


def call_tasks() -> list[str]:
    """Tasks of this process that belong to a call."""
    return [
        task.get_name()
        for task in asyncio.all_tasks()
        if task.get_name().startswith(("call ", "tool ", "open model"))
    ]


def conversation(*words: str) -> Script:
    """Listen to the greeting, say each sentence and hear its answer, hang up."""
    steps: list[Step] = [Listen()]
    for sentence in words:
        steps += [Say(sentence), Listen()]
    return (*steps, HangUp())
