"""When a config is read again, and what becomes of one that is wrong."""

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from pod.edge import SOON_S, counted
from trunkline.errors import SettingsError
from trunkline.pod.reload import Reloader, in_thread
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


@dataclass
class File:
    """A config file of one word; `wrong` is why it can't be read."""

    word: str = "first"
    wrong: str | None = None
    is_new: bool = False
    swapped: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    looks: int = 0
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> bool:
        """Whether it was written since it was read."""
        self.threads.add(threading.get_ident())
        return self.is_new

    def prepare(self) -> str:
        """Read it."""
        self.threads.add(threading.get_ident())
        self.is_new = False
        if self.wrong is not None:
            raise SettingsError(self.wrong)
        return self.word

    def look(self) -> None:
        """Done on the loop after every look."""
        self.looks += 1
        self.looked.set()

    async def after_a_look(self) -> None:
        """Return when a look that has not begun yet is done."""
        async with asyncio.timeout(SOON_S):
            for _ in range(2):
                self.looked.clear()
                await self.looked.wait()


@asynccontextmanager
async def watching(
    file: File, metrics: Metrics, *, poll_s: float = 0.001
) -> AsyncIterator[Reloader[str]]:
    reloader = Reloader(
        changed=file.changed,
        prepare=file.prepare,
        swap=file.swapped.append,
        log=logs.get_logger(),
        metrics=metrics,
        poll_s=poll_s,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(reloader.run(file.look))
        try:
            yield reloader
        finally:
            running.cancel()


async def test_a_file_that_has_changed_is_swapped_in_once() -> None:
    """Read away from the loop."""
    file = File()
    async with watching(file, Metrics()):
        await file.after_a_look()
        assert file.swapped == []
        file.word, file.is_new = "second", True
        await file.after_a_look()
        await file.after_a_look()
    assert file.swapped == ["second"]
    assert threading.get_ident() not in file.threads


async def test_who_asks_gets_it_at_once() -> None:
    """Whether or not the file has changed, and however long until the next look."""
    file = File()
    async with watching(file, Metrics(), poll_s=600) as reloader:
        reloader.ask()
        async with asyncio.timeout(SOON_S):
            await file.looked.wait()
    assert file.swapped == ["first"]


async def test_a_wrong_file_is_one_line_and_one_count(capsys: pytest.CaptureFixture[str]) -> None:
    """The line has the first fault and how many there are; the last right config stays."""
    file, metrics, told = File(), Metrics(), io.StringIO()
    logs.configure(told, json=True)
    try:
        async with watching(file, metrics):
            file.wrong, file.is_new = "t.yaml:3:5: agents: wrong\nt.yaml:9:1: tools: wrong", True
            await file.after_a_look()
            assert file.swapped == []
            file.wrong, file.is_new = None, True
            await file.after_a_look()
    finally:
        logs.configure(io.StringIO(), json=True)
    assert file.swapped == ["first"]
    assert counted(metrics, "config_reloads_refused_total") == {"": 1}
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "config_refused"]
    assert (line["hint"], line["count"]) == ("t.yaml:3:5: agents: wrong", 2)
    assert capsys.readouterr().err == ""


async def test_a_thread_that_hangs_hinders_nobody() -> None:
    """Its waiter can be cancelled, and what it says later is heard by nobody."""
    go_on, gone = threading.Event(), threading.Event()

    def hang() -> None:
        go_on.wait()
        gone.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await in_thread(hang, "hangs")
    go_on.set()
    assert await in_thread(lambda: gone.wait(SOON_S), "waits")


async def test_a_bug_while_reading_keeps_the_config() -> None:
    """It is told to whoever catches strays, and to the waiter as a config that is wrong."""
    strays: list[str] = []
    before = threading.excepthook
    threading.excepthook = lambda stray: strays.append(stray.exc_type.__name__)
    try:
        with pytest.raises(SettingsError, match="bug"):
            await in_thread(lambda: 1 // 0, "breaks")
        await in_thread(lambda: None, "later")
    finally:
        threading.excepthook = before
    assert strays == ["ZeroDivisionError"]
