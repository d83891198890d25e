"""What is the twin's own; the port's promises are in tests/contract/test_call_log.py."""

import pytest

from chains import CALL, RECEIVED, SAID, chain
from trunkline.adapters.memory.call_log import MemoryCallBook

pytestmark = pytest.mark.anyio


async def test_it_needs_nobody_to_tell_of_strays() -> None:
    """Without a listener it counts them all the same, each once."""
    book = MemoryCallBook()
    for _ in range(2):
        await book.write([(CALL, chain(CALL, RECEIVED)[0]), (CALL, chain(CALL, SAID)[0])])
    assert book.strays == 1


async def test_what_it_gives_out_is_no_part_of_it() -> None:
    """A reader can't change the log."""
    book = MemoryCallBook()
    await book.write([(CALL, chain(CALL, RECEIVED)[0])])
    (await book.entries(CALL)).clear()
    assert len(await book.entries(CALL)) == 1
