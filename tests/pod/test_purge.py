import asyncio
from dataclasses import dataclass, field

import pytest

from chains import BEGUN_MS, CALL, OTHER_CALL, WHOLE_CALL, chain
from pod.ends import until
from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.memory.erasure import MemoryEraser
from trunkline.core.retention import DAY_MS, Erased, Retention
from trunkline.errors import StoreError
from trunkline.pod.purge import BATCH_CALLS_MAX, Purge
from trunkline.telemetry import logs

pytestmark = pytest.mark.anyio
MONTH = Retention({"clinic": 30})


@dataclass
class Store:
    """A call log, a month and a day later; told to be away, or another's, it is."""

    book: MemoryCallBook = field(default_factory=MemoryCallBook)
    away: int = 0
    of_another: bool = False
    steps: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._eraser = MemoryEraser(self.book, lambda: BEGUN_MS + 31 * DAY_MS)
        self.due, self.calls_of, self.erase = (
            self._eraser.due,
            self._eraser.calls_of,
            self._eraser.erase,
        )

    async def purge(self, retention: Retention, *, calls_max: int) -> Erased | None:
        self.steps.append(calls_max)
        return None if self.of_another else await self._eraser.purge(retention, calls_max=calls_max)

    async def sweep(self) -> Erased | None:
        if self.away:
            self.away -= 1
            raise StoreError("PostgreSQL can't be reached: OSError")
        return None if self.of_another else await self._eraser.sweep()


@pytest.fixture
async def store() -> Store:
    made = Store()
    for call in (CALL, OTHER_CALL):
        await made.book.write([(call, entry) for entry in chain(call, *WHOLE_CALL)])
    return made


def purge(store: Store, retention: Retention = MONTH) -> Purge:
    return Purge(store, lambda: retention, logs.get_logger())


async def test_a_round_erases_all_that_is_due(store: Store) -> None:
    """In bounded steps, until one finds nothing."""
    assert await purge(store).once(pause_s=0) == Erased(2, 10)
    assert store.steps == [BATCH_CALLS_MAX] * 2
    assert await purge(store).once(pause_s=0) == Erased()


async def test_another_pod_s_round_is_left_alone(store: Store) -> None:
    """One purges at a time; what it does not do, the next hour does."""
    store.of_another = True
    assert await purge(store).once(pause_s=0) == Erased()
    assert store.steps == [BATCH_CALLS_MAX]


async def test_without_days_only_what_comes_late_is_swept(store: Store) -> None:
    """Nobody's calls are due, but somebody may have been forgotten."""
    assert await purge(store, Retention({"clinic": None})).once(pause_s=0) == Erased()
    assert store.steps == []
    assert (await store.book.entries(CALL))[0].payload


async def test_a_store_that_is_away_is_asked_in_the_next_round(store: Store) -> None:
    """The pod goes on; nothing is lost but time."""
    store.away = 2
    running = asyncio.create_task(  # noqa: TID251 - cancelled below
        purge(store).run(first_s=0, every_s=0, pause_s=0)
    )
    await until(lambda: len(store.steps) >= 2)
    running.cancel()
    assert store.away == 0
    assert not (await store.book.entries(CALL))[0].payload
