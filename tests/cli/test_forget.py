"""After one person's data was erased, no table and no key holds their number or their words."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from chains import CALL, OTHER_CALL, RECEIVED, WHOLE_CALL, chain
from folders import open_folder
from trunkline.adapters.embedded.stores import EmbeddedStores
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import Pool, connect
from trunkline.adapters.redis import connect as redis
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.cli.forget import calls_of, counted, forget, forget_calls, purge, purge_due
from trunkline.core.facts import CallEnded, CallerSaid, Fact, Outcome, ToolFinished
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.core.record import GENESIS, Head, chain_hash
from trunkline.core.retention import DAY_MS, Erased, Retention
from trunkline.errors import SettingsError, StoreError, TrunklineError
from trunkline.ports import Holder

pytestmark = pytest.mark.anyio

NUMBER = RECEIVED.from_number
WORDS = "canary of the caller"
TOOL = "canary of the tool"
SPOKEN: tuple[Fact, ...] = (
    RECEIVED,
    CallerSaid("item_1", WORDS),
    ToolFinished("call_1", "find", ok=True, output=TOOL, took_ms=1),
    CallEnded(Outcome.CALLER_ENDED, "stop"),
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with await connect(database_url) as made:
        yield made


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    made = redis.connect(redis_url)
    yield made
    await made.aclose()


async def have(call: CallSid, pool: Pool, client: Redis, *facts: Fact, days_ago: float) -> None:
    """A call in both stores, as a pod leaves it."""
    begun_ms = time.time_ns() // 1_000_000 - int(days_ago * DAY_MS)
    journal = RedisJournal(client)
    pod, life = PodName("pod-0"), Incarnation("a")
    opening = await journal.open_call(call, pod, life)
    entries = chain(call, *facts, epoch=opening.epoch, begun_ms=begun_ms)
    await journal.append(call, Holder(opening.epoch, pod, life), Head(), entries)
    await PostgresCallBook(pool).write([(call, entry) for entry in entries])


async def everything(pool: Pool, client: Redis) -> str:
    """Every value of every column of every table, and of every key."""
    found: list[str] = []
    tables = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in tables:
        found += [str(row) for row in await pool.fetch(f'SELECT * FROM "{table["tablename"]}"')]
    async for key in client.scan_iter("*"):
        held = (
            await client.lrange(key, 0, -1)
            if await client.type(key) == b"list"
            else await client.hgetall(key)
        )
        found += [key.decode(), str(held)]
    return "\n".join(found)


async def verify(pool: Pool) -> int:
    """How many calls' chains hold; all of them, or it fails."""
    calls = {record["call_sid"] for record in await pool.fetch("SELECT call_sid FROM calls")}
    for call in calls:
        previous = GENESIS
        for seq, entry in enumerate(await PostgresCallBook(pool).entries(call), 1):
            previous = chain_hash(
                call, previous, seq, entry.kind, entry.at_ms, entry.epoch, entry.digest
            )
            assert entry.hash == previous
    return len(calls)


async def test_nothing_of_a_person_is_left(
    pool: Pool, client: Redis, redis_url: str, database_url: str
) -> None:
    """Not in a table, not in Redis; and the chain holds."""
    await have(CALL, pool, client, *SPOKEN, days_ago=0.1)
    before = await everything(pool, client)
    assert all(canary in before for canary in (NUMBER, WORDS, TOOL))
    found = await calls_of(database_url, number=NUMBER)
    done = await forget_calls(EmbeddedStores(redis_url, database_url), calls=found)
    assert (done.erased, done.live, done.journals_fault) == (Erased(1, 4), 0, None)
    after = await everything(pool, client)
    assert not [canary for canary in (NUMBER, WORDS, TOOL) if canary in after]
    assert await verify(pool) == 1


async def test_a_purge_leaves_nothing_either(pool: Pool, client: Redis, database_url: str) -> None:
    """By age, out of the call log: a dry run counts. Journals are long gone by then."""
    await have(CALL, pool, client, *SPOKEN, days_ago=31)
    await have(OTHER_CALL, pool, client, *WHOLE_CALL, days_ago=1)
    await client.flushall()
    month = Retention({"clinic": 30})
    assert await purge_due(database_url, retention=month, dry_run=True) == Erased(1, 4)
    assert WORDS in await everything(pool, client)
    assert await purge_due(database_url, retention=month, dry_run=False) == Erased(1, 4)
    after = await everything(pool, client)
    assert WORDS not in after
    assert "Good morning" in after
    assert await verify(pool) == 2


async def test_a_live_call_is_told_and_kept(
    pool: Pool, client: Redis, redis_url: str, database_url: str
) -> None:
    """The ended ones go all the same."""
    await have(CALL, pool, client, *SPOKEN, days_ago=0.1)
    await have(OTHER_CALL, pool, client, *SPOKEN[:2], days_ago=0.01)
    found = await calls_of(database_url, number=NUMBER)
    done = await forget_calls(EmbeddedStores(redis_url, database_url), calls=found)
    assert (done.erased, done.live) == (Erased(1, 4), 1)
    assert len(await RedisJournal(client).read(OTHER_CALL)) == 2
    assert await calls_of(database_url, number=NUMBER) == {OTHER_CALL: False}


async def test_redis_away_hinders_nothing(pool: Pool, client: Redis, database_url: str) -> None:
    """The call log is erased, and it is said that the journals were not."""
    await have(CALL, pool, client, *SPOKEN, days_ago=0.1)
    found = await calls_of(database_url, number=NUMBER)
    nowhere = EmbeddedStores("redis://127.0.0.1:1/0", database_url)
    done = await forget_calls(nowhere, calls=found)
    assert done.erased == Erased(1, 4)
    assert done.journals_fault is not None
    assert done.journals_fault.startswith("Redis can't be reached")


@pytest.mark.parametrize("number", ["5550100001", "+1 555 010 0001", "+1", "anonymous", ""])
def test_a_number_has_one_form(number: str) -> None:
    """What is given is not repeated: it may be somebody's number all the same."""
    with pytest.raises(SettingsError, match=r"expected a phone number in E\.164 form") as told:
        forget(number=number, yes=True)
    assert not number or number not in str(told.value).replace("+15550100001", "")


@pytest.fixture
def settings_of(
    redis_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder with a config file, and the stores in the environment, as a user has them."""
    with open_folder() as folder:
        (folder / "trunkline.yaml").write_text(
            "verticals: {health: {retention_days: 30}}\n"
            "tenants: {clinic: {vertical: health}}\n"
            "agents: {desk: {instructions: Answer.}}\n"
            f'numbers: {{"{RECEIVED.to_number}": {{agent: desk, tenant: clinic}}}}\n'
        )
        monkeypatch.setenv("TRUNKLINE_REDIS_URL", redis_url)
        monkeypatch.setenv("TRUNKLINE_DATABASE_URL", database_url)
        monkeypatch.setenv("TRUNKLINE_CONFIG", str(folder / "trunkline.yaml"))
        monkeypatch.chdir(folder)
        yield folder


async def fill(redis_url: str, database_url: str) -> None:
    """One ended call a month ago, and one of today that goes on."""
    client = redis.connect(redis_url)
    async with await connect(database_url) as pool:
        await have(CALL, pool, client, *SPOKEN, days_ago=31)
        await have(OTHER_CALL, pool, client, *SPOKEN[:2], days_ago=0.01)
    await client.aclose()


def test_forget_says_how_much_and_never_whose(
    settings_of: Path, redis_url: str, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A live call is one line and exit code 1; when nothing is left it says so."""
    del settings_of
    asyncio.run(fill(redis_url, database_url))
    with pytest.raises(TrunklineError, match=r"^1 call of this number may still be live"):
        forget(number=NUMBER, yes=True)
    forget(number="+15550109999", yes=True)
    out, err = capsys.readouterr()
    assert out.splitlines() == ["erased: 1 call, 4 facts", "erased: 0 calls, 0 facts"]
    assert NUMBER not in out + err


def test_a_line_of_one_s_own_is_nobody_s_data(settings_of: Path) -> None:
    """It would be every call to that line."""
    del settings_of
    with pytest.raises(SettingsError, match="a line of your own"):
        forget(number=RECEIVED.to_number, yes=True)


def test_purge_says_what_is_due_and_erases_it(
    settings_of: Path, redis_url: str, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the config file's days; without any it says so."""
    asyncio.run(fill(redis_url, database_url))
    purge(dry_run=True)
    purge()
    purge()
    (settings_of / "trunkline.yaml").write_text(
        'agents: {desk: {instructions: Answer.}}\nnumbers: {"*": {agent: desk}}\n'
    )
    purge()
    assert capsys.readouterr().out.splitlines() == [
        "due: 1 call, 4 facts",
        "erased: 1 call, 4 facts",
        "erased: 0 calls, 0 facts",
        "no tenant or vertical has retention_days: nothing is ever due",
    ]


async def test_a_database_that_is_away_is_an_error(redis_url: str) -> None:
    """Nothing was erased, and it may be asked again."""
    with pytest.raises(StoreError):
        await calls_of("postgresql://nobody@127.0.0.1:1/none", number=NUMBER)
    with pytest.raises(StoreError):
        await forget_calls(
            EmbeddedStores(redis_url, "postgresql://nobody@127.0.0.1:1/none"), calls={CALL: True}
        )


def test_one_is_no_plural() -> None:
    """For people."""
    assert [counted(number, "call") for number in (0, 1, 2)] == ["0 calls", "1 call", "2 calls"]
