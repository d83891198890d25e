"""A config file that changes while a pod carries calls."""

import asyncio
from pathlib import Path

import pytest

from acceptance.scene import KEY, OUR_NUMBER, Scene, conversation, scene
from trunkline.sim.caller import HangUp, Listen, Say
from trunkline.sim.realtime.options import RealtimeSimOptions

pytestmark = pytest.mark.anyio

FIRST, SECOND = "good morning how can i help you", "thank you for calling sales"
"""Words that the simulated model can say."""

CONFIG = """
version: 1
tenants: {clinic: {vertical: health}}
verticals: {health: {}}
agents:
  desk:
    instructions: You answer.
    greeting: 'Say: "good morning how can i help you"'
numbers:
  "+15550100001": {agent: desk, tenant: clinic}
"""


def second(version: int = 2) -> str:
    return CONFIG.replace("version: 1", f"version: {version}").replace(FIRST, SECOND)


async def reloaded(here: Scene, version: int) -> None:
    """Return when new calls get this version."""
    async with asyncio.timeout(15):
        while await here.counted("config_version") != version:  # noqa: ASYNC110 - a scrape
            await asyncio.sleep(0.02)


async def refused(here: Scene, count: int) -> None:
    async with asyncio.timeout(15):
        while await here.counted("config_reloads_refused_total") != count:  # noqa: ASYNC110 - a scrape
            await asyncio.sleep(0.02)


async def test_new_calls_get_the_new_file_and_live_ones_keep_theirs(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """The file is found changed; a call in the midst of it hears nothing of it."""
    path = tmp_path / "trunkline.yaml"
    async with (
        scene(redis_url, database_url, config=CONFIG, watched=path) as here,
        asyncio.TaskGroup() as tasks,
    ):
        live = tasks.create_task(here.call(Listen(), Say("one"), Listen(), HangUp()))
        await here.until(lambda: here.pod.view().calls_active == 1)
        path.write_text(second())
        await reloaded(here, 2)
        new = await here.call(*conversation())
        assert ("agent", SECOND) in new.transcript
        old = await live
        assert ("agent", FIRST) in old.transcript
        assert len(old.streams) == 1


async def test_a_wrong_file_changes_nothing(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """Counted once; mended it is taken, without a restart."""
    path = tmp_path / "trunkline.yaml"
    async with scene(redis_url, database_url, config=CONFIG, watched=path) as here:
        path.write_text(second().replace("agent: desk", "agent: nobody"))
        await refused(here, 1)
        assert ("agent", FIRST) in (await here.call(*conversation())).transcript
        path.write_text(second())
        await reloaded(here, 2)
        assert ("agent", SECOND) in (await here.call(*conversation())).transcript
        assert await here.counted("config_reloads_refused_total") == 1


async def test_a_pod_can_be_told_to_read_at_once(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """As SIGHUP does; a file of a lower version is taken, and its limits wait for a higher one."""
    path = tmp_path / "trunkline.yaml"
    closed = "clinic: {vertical: health, calls_max: 0}"
    async with scene(redis_url, database_url, config=second(5), watched=path) as here:
        assert ("agent", SECOND) in (await here.call(*conversation())).transcript
        path.write_text(CONFIG.replace("clinic: {vertical: health}", closed))
        here.pod.reload()
        await reloaded(here, 1)
        assert ("agent", FIRST) in (await here.call(*conversation())).transcript
        path.write_text(second(6).replace("clinic: {vertical: health}", closed))
        here.pod.reload()
        await reloaded(here, 6)
        told = await here.call(*conversation())
        assert (await here.logged(told.sid)).reason == "tenant_full"


async def test_a_model_that_the_new_file_names_is_reached(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """Its pool appears and the old one's goes, once the last call that used it is over."""
    path = tmp_path / "trunkline.yaml"
    more = {"OTHER": RealtimeSimOptions(keys=(KEY,), models=("other-model",))}
    async with (
        scene(redis_url, database_url, config=CONFIG, watched=path, more_models=more) as here,
        asyncio.TaskGroup() as tasks,
    ):
        live = tasks.create_task(here.call(Listen(), Say("one"), Listen(), HangUp()))
        await here.until(lambda: here.pod.view().calls_active == 1)
        other = here.more_models["OTHER"]
        models = f"    models: [{{name: other-model, url: '{other.url}'}}]\n"
        path.write_text(second().replace("    instructions", f"{models}    instructions"))
        await reloaded(here, 2)
        new = await here.call(*conversation(), to=OUR_NUMBER)
        assert ("agent", SECOND) in new.transcript
        assert any(record.updates for record in other.records)
        await live
        await here.until(lambda: all(r.closed_at is not None for r in here.model.records))
        assert any(record.closed_at is None for record in other.records)
