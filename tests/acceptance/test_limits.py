"""Tenants and verticals with as many calls as they may have, and what their next caller gets."""

import asyncio

import aiohttp
import pytest

from acceptance.scene import CALLER, Scene, conversation, scene
from trunkline.core.facts import CallEnded, CallOverflowed, CallReceived
from trunkline.sim.caller import Listen, WaitForHangUp
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN
from trunkline.sim.carrier.rest import ApiRequest
from trunkline.wire.webhooks import Form

pytestmark = pytest.mark.anyio

CLINIC, DENTIST, NOBODYS = "+15550100001", "+15550100002", "+15550100003"
DIALS, TAKES_MESSAGES, SAYS, HANGS_UP = (f"+1555010001{number}" for number in range(4))

CONFIG = """
version: 3
verticals:
  health: {calls_max: 3, outbound_calls_max: 1}
tenants:
  clinic: {vertical: health, calls_max: 2}
  dentist: {vertical: health}
  closed: {vertical: health, calls_max: 0}
agents:
  desk: {instructions: You answer., greeting: 'Say: "good morning"'}
numbers:
  "+15550100001": {agent: desk, tenant: clinic, hold_s: 0}
  "+15550100002": {agent: desk, tenant: dentist, hold_s: 0}
  "+15550100003": {agent: desk}
  "+15550100010": {agent: desk, tenant: closed, overflow: {dial: "+15550100021"}}
  "+15550100011": {agent: desk, tenant: closed, overflow: {voicemail: {prompt: Leave a message.}}}
  "+15550100012": {agent: desk, tenant: closed, overflow: {say: We are closed.}}
  "+15550100013": {agent: desk, tenant: closed, overflow: hangup}
"""


async def talk(here: Scene, tasks: asyncio.TaskGroup, to: str) -> None:
    """One more caller, who talks until hung up."""
    carried = here.pod.view().calls_active
    tasks.create_task(here.call(Listen(), WaitForHangUp(), to=to))
    await here.until(lambda: here.pod.view().calls_active == carried + 1)


async def refusal(here: Scene, to: str) -> str | None:
    """Why the next caller of a number gets no agent."""
    report = await here.call(*conversation(), to=to)
    return (await here.logged(report.sid)).reason


def place(here: Scene, from_: str) -> None:
    """Have the carrier call somebody from one of our numbers."""
    form = Form((("To", CALLER), ("From", from_), ("Url", f"{here.public_url}/twilio/voice")))
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json"
    request = ApiRequest(
        "POST", path, form=form, authorization=aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)
    )
    assert here.carrier.api(request).status == 201


async def test_a_tenant_and_its_vertical_have_so_many_calls_at_once(
    redis_url: str, database_url: str
) -> None:
    """The log and the metrics say which limit it was; nobody else's calls are bound by it."""
    async with (
        scene(redis_url, database_url, config=CONFIG) as here,
        asyncio.TaskGroup() as tasks,
    ):
        await talk(here, tasks, CLINIC)
        await talk(here, tasks, CLINIC)
        assert await refusal(here, CLINIC) == "tenant_full"
        await talk(here, tasks, DENTIST)
        assert await refusal(here, DENTIST) == "vertical_full"
        assert await refusal(here, CLINIC) == "vertical_full"
        await talk(here, tasks, NOBODYS)
        here.carrier.hang_up(here.carrier.live[0])
        await here.until(lambda: here.pod.view().calls_active == 3)
        await talk(here, tasks, CLINIC)
        for reason, count in (("tenant_full", 1), ("vertical_full", 2), ("cap", 0)):
            series = f'calls_overflowed_total{{direction="inbound",reason="{reason}"}}'
            assert await here.counted(series) == count
        for sid in here.carrier.live:
            here.carrier.hang_up(sid)


async def test_fewer_of_a_tenant_s_calls_may_be_placed(redis_url: str, database_url: str) -> None:
    """The vertical's default counts for a tenant that names none; callers still get in."""
    async with (
        scene(redis_url, database_url, config=CONFIG) as here,
        asyncio.TaskGroup() as tasks,
    ):
        place(here, DENTIST)
        await here.until(lambda: here.pod.view().calls_active == 1)
        place(here, DENTIST)
        await here.until(lambda: bool(here.carrier.reports))
        row = await here.logged(here.carrier.reports[0].sid)
        assert (row.direction, row.outcome, row.reason) == (
            "outbound",
            "overflowed",
            "outbound_full",
        )
        series = 'calls_overflowed_total{direction="outbound",reason="outbound_full"}'
        assert await here.counted(series) == 1
        await talk(here, tasks, DENTIST)
        for sid in here.carrier.live:
            here.carrier.hang_up(sid)


@pytest.mark.parametrize(
    ("number", "action"),
    [(DIALS, "dial"), (TAKES_MESSAGES, "voicemail"), (SAYS, "say"), (HANGS_UP, "hangup")],
)
async def test_each_overflow_action_as_the_caller_has_it(
    redis_url: str, database_url: str, number: str, action: str
) -> None:
    """A person, a tone to speak after, words, or nothing: without a stream, and in the log."""
    async with scene(redis_url, database_url, config=CONFIG) as here:
        report = await here.call(*conversation(), to=number)
        row, facts = await here.logged(report.sid), await here.facts(report.sid)
        assert (row.outcome, row.reason) == ("overflowed", "tenant_full")
        assert [type(fact) for fact in facts] == [CallReceived, CallOverflowed, CallEnded]
        assert facts[1] == CallOverflowed("tenant_full", action)
        assert not report.streams
        assert not report.warnings
        assert report.dialled == (("+15550100021",) if action == "dial" else ())
        words = {"voicemail": "Leave a message.", "say": "We are closed."}.get(action)
        heard = [text for speaker, text in report.transcript if speaker == "carrier"]
        assert heard == ([] if words is None else [words])
        assert not here.sessions()
