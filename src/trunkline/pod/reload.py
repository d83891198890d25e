"""A config that is read again while calls go on.

Reading, checking and importing happen in a thread; the loop only swaps what is ready. A thread
that hangs (a mount that is gone, a module that never returns) keeps the config as it is, and
neither a call nor the process's end waits for it.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, TypeVar

from trunkline.errors import SettingsError
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics

POLL_S: Final = 1.0
"""How often the files are looked at. One that has changed is read at the second look that finds it
the same, so after 1 to 2 s."""

T = TypeVar("T")


class Reloader(Generic[T]):
    """Has the config read when its file changes, or when asked."""

    def __init__(
        self,
        *,
        changed: Callable[[], bool],
        prepare: Callable[[], T],
        swap: Callable[[T], None],
        log: Log,
        metrics: Metrics,
        poll_s: float = POLL_S,
    ) -> None:
        """`changed` and `prepare` run in a thread, one at a time; `swap` on the loop.

        `prepare` raises SettingsError for a config that is wrong: the last right one stays.
        """
        self._changed = changed
        self._prepare = prepare
        self._swap = swap
        self._log = log
        self._metrics = metrics
        self._poll_s = poll_s
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read it now, changed or not."""
        self._asked.set()

    async def run(self, each: Callable[[], None] | None = None) -> None:
        """Watch until cancelled; `each` is done on the loop after every look."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._asked.wait()
            await self._look()
            if each is not None:
                each()

    async def _look(self) -> None:
        asked = self._asked.is_set()
        self._asked.clear()
        try:
            if asked or await in_thread(self._changed, "config look"):
                self._swap(await in_thread(self._prepare, "config load"))
        except SettingsError as error:
            first, *others = str(error).splitlines()
            self._metrics.config_refused()
            self._log.error(LogName.CONFIG_REFUSED, hint=first, count=1 + len(others))


async def in_thread(work: Callable[[], T], name: str) -> T:
    """What `work` returns or raises, from a daemon thread of its own."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def finish(values: list[T], fault: SettingsError) -> None:
        if answer.done():
            return
        if values:
            answer.set_result(values[0])
        else:
            answer.set_exception(fault)

    def run() -> None:
        values: list[T] = []
        fault = SettingsError("it could not be read for a bug of ours: see process_broke")
        try:
            values.append(work())
        except SettingsError as error:
            fault = error
        finally:
            with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                loop.call_soon_threadsafe(finish, values, fault)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:
        raise SettingsError("it can't be read: the machine has no thread left") from None
    return await answer
