"""All steps at once."""

import asyncio

import pytest

from check.grounds import CANARIES, ENVIRON, PASSWORD, environ, told
from trunkline.check.items import Item, Status, ok
from trunkline.check.run import Step, run, take
from trunkline.errors import SettingsError

pytestmark = pytest.mark.anyio

NOWHERE = environ(
    PUBLIC_URL="http://127.0.0.1:1",
    INTERNAL_PORT="1",
    TWILIO_API_URL="http://127.0.0.1:1",
    REALTIME_URL="ws://127.0.0.1:1",
    REDIS_URL=f"redis://user:{PASSWORD}@127.0.0.1:1/0",
    DATABASE_URL=f"postgresql://user:{PASSWORD}@127.0.0.1:1/calls",
)


async def test_with_nobody_there_each_party_has_its_item() -> None:
    """In the steps' order, with no secret in any."""
    seen: list[tuple[int, int]] = []
    items = await run(
        {**ENVIRON, **NOWHERE}, None, progress=lambda done, steps, _: seen.append((done, steps))
    )
    assert told(items) == [
        (Status.OK, "settings"),
        (Status.OK, "config"),
        (Status.OK, "open files"),
        (Status.FAIL, "redis"),
        (Status.FAIL, "postgres"),
        (Status.FAIL, "model"),
        (Status.FAIL, "twilio"),
        (Status.FAIL, "public url"),
    ]
    assert not any(canary in repr(items) for canary in CANARIES)
    assert seen == [(done, 9) for done in range(1, 10)]


async def test_wrong_settings_ask_nobody() -> None:
    """What they mean is not known; everything else is still said."""
    items = await run({**ENVIRON, **NOWHERE, "TRUNKLINE_PORT": "x"}, None)
    assert told(items) == [(Status.FAIL, "settings"), (Status.OK, "config")]


async def test_steps_run_at_once_and_answer_in_order() -> None:
    """Each waits for the other."""
    first, second = asyncio.Event(), asyncio.Event()

    async def one() -> list[Item]:
        first.set()
        await second.wait()
        return [ok("one", "done")]

    async def two() -> list[Item]:
        await first.wait()
        second.set()
        return [ok("two", "done")]

    names: list[str] = []
    items = await take(
        [Step("one", one), Step("two", two)], lambda _done, _steps, name: names.append(name)
    )
    assert [item.what for item in items] == ["one", "two"]
    assert sorted(names) == ["one", "two"]


async def test_a_step_that_hangs_or_can_t_be_taken_says_so() -> None:
    """The others are not kept."""

    async def hang() -> list[Item]:
        await asyncio.Event().wait()
        return []

    async def refuse() -> list[Item]:
        raise SettingsError("the machine has no thread left")

    steps = [Step("model", hang), Step("tools", refuse)]
    items = await take(steps, lambda *_: None, step_s_max=0.01)
    assert [(item.status, item.what) for item in items] == [
        (Status.FAIL, "model"),
        (Status.FAIL, "tools"),
    ]
