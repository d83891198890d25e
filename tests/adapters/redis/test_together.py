"""Runs of one script in one round trip, with a real store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from redis import exceptions
from redis.asyncio import Redis

from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.together import TOGETHER_MAX, Together

pytestmark = pytest.mark.anyio

SCRIPT: Final = """
if ARGV[1] == 'fail' then return redis.error_reply('OOPS no') end
return {ARGV[1], redis.call('INCRBY', KEYS[1], 1)}
"""


@asynccontextmanager
async def together(redis_url: str) -> AsyncIterator[tuple[Together, Redis]]:
    async with connect(redis_url) as client:
        script = client.register_script(SCRIPT)
        yield Together(client, script), client


async def reads(client: Redis) -> int:
    """How often the store has read from its clients."""
    stats: dict[str, Any] = await client.info("stats")
    return int(stats["total_reads_processed"])


async def test_what_is_asked_for_at_once_goes_in_one_round_trip(redis_url: str) -> None:
    """Each gets its own answer; more than the bound go in two."""
    async with together(redis_url) as (script, client):
        assert await script.run(["n"], ["first"]) == [b"first", 1]
        before = await reads(client)
        answers = await asyncio.gather(*(script.run(["n"], [i]) for i in range(TOGETHER_MAX)))
        assert answers == [[str(i).encode(), i + 2] for i in range(TOGETHER_MAX)]
        assert await reads(client) - before == 2  # The other one was this question.
        await asyncio.gather(*(script.run(["n"], [i]) for i in range(TOGETHER_MAX + 1)))
        assert await client.get("n") == str(2 * TOGETHER_MAX + 2).encode()


async def test_a_refusal_is_its_own_runs_only(redis_url: str) -> None:
    """Alone and among others."""
    async with together(redis_url) as (script, _):
        with pytest.raises(exceptions.ResponseError, match="OOPS"):
            await script.run(["n"], ["fail"])
        answers = await asyncio.gather(
            *(script.run(["n"], [word]) for word in ("one", "fail", "two")), return_exceptions=True
        )
        assert answers[0] == [b"one", 1]
        assert isinstance(answers[1], exceptions.ResponseError)
        assert answers[2] == [b"two", 2]


async def test_a_store_that_forgot_the_script_is_told_again(redis_url: str) -> None:
    """It was started anew."""
    async with together(redis_url) as (script, client):
        await script.run(["n"], ["first"])
        await client.script_flush()
        answers = await asyncio.gather(script.run(["n"], ["one"]), script.run(["n"], ["two"]))
        assert [word for word, _ in answers] == [b"one", b"two"]


async def test_who_is_cancelled_takes_no_other_along_for_long(redis_url: str) -> None:
    """The first sends for all: without it the others are told, and the next ones are served."""
    async with together(redis_url) as (script, _):
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(script.run(["n"], ["first"]))
            second = tasks.create_task(_outcome(script))
            third = tasks.create_task(_outcome(script))
            await asyncio.sleep(0)
            first.cancel()
            third.cancel()
        assert isinstance(second.result(), exceptions.TimeoutError)
        assert (await script.run(["n"], ["next"]))[0] == b"next"


async def _outcome(script: Together) -> object:
    try:
        return await script.run(["n"], ["other"])
    except exceptions.RedisError as error:
        return error
