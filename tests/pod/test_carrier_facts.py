"""What the carrier tells reaches the call log, whatever Postgres does meanwhile."""

import asyncio

import pytest

from chains import CALL
from pod.stores import FailingBook
from trunkline.core.carrier import StatusTold, told
from trunkline.pod.carrier_facts import CARRIER_FACTS_MAX, WRITE_FACTS_MAX, CarrierFacts
from trunkline.telemetry import logs
from trunkline.wire import webhooks

pytestmark = pytest.mark.anyio


async def test_it_is_written_when_the_call_log_is_back() -> None:
    """In order, in bounded writes; a doubled one once."""
    book = FailingBook()
    book.away = True
    here = CarrierFacts(book, logs.get_logger(), lambda: 5)
    facts = [told(CALL, StatusTold("ringing", n), at_ms=n) for n in range(WRITE_FACTS_MAX + 1)]
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(here.run())
        for fact in (*facts, facts[0]):
            here.note(fact)
        await book.wait_until_asked()
        assert here.backlog == len(facts) + 1
        book.away = False
        here.close()
    assert here.backlog == 0
    assert await book.carrier_facts(CALL) == facts


async def test_what_each_callback_tells() -> None:
    """Its words, without the numbers dialled."""
    book = FailingBook()
    here = CarrierFacts(book, logs.get_logger(), lambda: 5)
    number = "+15550100001"
    callback = webhooks.StatusCallback(
        CALL, "AC1", "completed", 3, 12, number, number, "inbound", None, 200, "Thu"
    )
    here.status_told(callback)
    here.stream_failed(webhooks.StreamStatus(CALL, "AC1", "MZ1", "stream-error", "31920"))
    here.answered_by(webhooks.MachineVerdict(CALL, "AC1", "machine_start", 900))
    here.close()
    await here.run()
    payloads = {fact.kind: fact.payload for fact in await book.carrier_facts(CALL)}
    assert payloads == {
        "status": '{"status":"completed","sequence":3,"duration_s":12,"sip_code":200,"at":"Thu"}',
        "stream_error": '{"stream_sid":"MZ1","error":"31920"}',
        "amd": '{"answered_by":"machine_start","took_ms":900}',
    }


async def test_what_waits_is_bounded() -> None:
    """The newest are refused: the carrier's list has them still."""
    here = CarrierFacts(FailingBook(), logs.get_logger(), lambda: 5)
    for number in range(CARRIER_FACTS_MAX + 5):
        here.note(told(CALL, StatusTold("ringing", number), at_ms=number))
    assert here.backlog == CARRIER_FACTS_MAX
