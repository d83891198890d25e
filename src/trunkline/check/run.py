"""All steps at once, each within its deadline; then their items, in the steps' order."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from trunkline.check import carrier, ground, machine, model, public, scripts, stores
from trunkline.check.ground import Ground
from trunkline.check.items import Item, fail
from trunkline.check.scripts import Lacking
from trunkline.errors import SettingsError
from trunkline.pod.reload import in_thread

STEP_S_MAX: Final = 20.0
"""Time for one step: two stores' answers, or a model's handshake and its `session.created`."""

REQUEST_S_MAX: Final = 10.0
"""Time for one HTTP answer; Twilio itself waits 15 s for one of ours."""

Progress = Callable[[int, int, str], None]
"""Told after each step: how many are done, of how many, and which it was."""


@dataclass(frozen=True, slots=True)
class Step:
    """One party that is asked. `work` gives its items; it raises nothing that it expects."""

    name: str
    work: Callable[[], Coroutine[None, None, list[Item]]]


async def run(
    environ: Mapping[str, str],
    env_file: Path | None,
    *,
    lacking: Lacking | None = None,
    tls: ssl.SSLContext | None = None,
    progress: Progress = lambda _done, _all, _name: None,
) -> list[Item]:
    """Everything that is to be said. `lacking` names scripts without audio, where it is known.

    `tls` says whom to trust for the public URL and Twilio; the system's authorities if None.
    """
    found, items = ground.read(environ, env_file)
    async with _client(tls) as http:
        steps = steps_of(found, http, lacking, tls)
        return items + await take(steps, progress)


def steps_of(
    found: Ground,
    http: aiohttp.ClientSession,
    lacking: Lacking | None = None,
    tls: ssl.SSLContext | None = None,
) -> list[Step]:
    """Every step, in the order of the report."""
    in_threads: tuple[tuple[str, Callable[[], list[Item]]], ...] = (
        ("data dir", lambda: machine.check_data_dir(found)),
        ("open files", lambda: machine.check_open_files(found)),
        ("tools", lambda: machine.check_tools(found)),
        ("fallback audio", lambda: scripts.check_audio(found, lacking)),
    )
    return [
        *(Step(name, _threaded(name, work)) for name, work in in_threads),
        Step("redis", lambda: stores.check_redis(found)),
        Step("postgres", lambda: stores.check_postgres(found)),
        Step("model", lambda: model.check_models(found)),
        Step("twilio", lambda: carrier.check_account(found, http)),
        Step("public url", lambda: public.check_public(found, http, tls)),
    ]


async def take(
    steps: Sequence[Step], progress: Progress, *, step_s_max: float = STEP_S_MAX
) -> list[Item]:
    """The items of all steps; one that takes too long has one that says so."""
    done = 0

    async def one(step: Step) -> list[Item]:
        nonlocal done
        try:
            async with asyncio.timeout(step_s_max):
                items = await step.work()
        except TimeoutError:
            why = f"not done within {step_s_max:.0f} s"
            items = [fail(step.name, why, "something on the way does not answer")]
        except SettingsError as error:  # As `in_thread` says that it could not.
            items = [fail(step.name, str(error), "")]
        done += 1
        progress(done, len(steps), step.name)
        return items

    async with asyncio.TaskGroup() as tasks:
        taken = [tasks.create_task(one(step), name=f"check {step.name}") for step in steps]
    return [item for task in taken for item in task.result()]


def _threaded(
    name: str, work: Callable[[], list[Item]]
) -> Callable[[], Coroutine[None, None, list[Item]]]:
    return lambda: in_thread(work, f"check {name}")


@asynccontextmanager
async def _client(tls: ssl.SSLContext | None) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=True if tls is None else tls)
    timeout = aiohttp.ClientTimeout(total=REQUEST_S_MAX)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield http
