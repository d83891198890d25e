"""The twin's promises are in tests/contract/test_erasure.py."""

import pytest

from chains import BEGUN_MS, CALL, WHOLE_CALL, chain
from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.memory.erasure import MemoryEraser

pytestmark = pytest.mark.anyio


async def test_its_clock_is_the_test_s() -> None:
    """When a call was erased is told once: later times change nothing."""
    book = MemoryCallBook()
    times = iter((BEGUN_MS + 60_000,) * 3 + (BEGUN_MS + 90_000,) * 3)
    eraser = MemoryEraser(book, lambda: next(times))
    await book.write([(CALL, entry) for entry in chain(CALL, *WHOLE_CALL)])
    for _ in range(2):
        await eraser.erase([CALL])
        row = await book.call(CALL)
        assert row is not None
        assert row.erased_at_ms == BEGUN_MS + 60_000
