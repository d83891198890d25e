"""A stream breaks, and the call goes on: same pod, same session, next to nothing unheard."""

import asyncio

import aiohttp
import pytest

from acceptance.played import Played, common, seen
from acceptance.scene import CALLER, CONFIG, OUR_NUMBER, Scene, conversation, scene
from trunkline.core.facts import CallEnded, CallResumed, Outcome, StreamLost, StreamOpened
from trunkline.core.ids import CallSid
from trunkline.sim.caller import HangUp, Listen, Step, WaitForHangUp
from trunkline.sim.carrier.account import AUTH_TOKEN
from trunkline.sim.carrier.faults import AfterLoss, Duplicate, Faults, Garbage
from trunkline.sim.realtime.brain import STORY
from trunkline.wire import twiml, webhooks

pytestmark = pytest.mark.anyio

CUT_MS_MAX = 100
"""The promise: the call goes on where the caller stopped hearing by its clock, which is right to
within the way to the carrier. So much may be missing or said twice at a cut, and nothing is out of
order. On loopback it is 1-4 ms."""

LONG_GREETING = CONFIG.read_text().replace("good morning how can i help you", STORY)
"""Seven seconds of speech, so that a stream can break in the midst."""


async def lost(here: Scene, faults: Faults, *script: Step) -> Played:
    """A call whose stream breaks."""
    report = await here.call(*(script or (Listen(), HangUp())), faults=faults)
    return await seen(here, report)


def assert_heard_once_and_in_order(played: Played, cuts: int) -> None:
    """All of what the model said, but for a little at each cut."""
    (item,) = played.model.said
    said, heard = bytes(item.audio), played.spoken
    while heard != said:
        assert cuts, "more is missing than the cuts explain"
        cuts -= 1
        same = common(heard, said)
        rest = heard[same : same + 800]
        gap = said.find(rest, max(0, same - 8 * CUT_MS_MAX)) - same
        assert -8 * CUT_MS_MAX <= gap <= 8 * CUT_MS_MAX, f"{gap} bytes at {same}"
        heard, said = heard[same:], said[same + gap :]


BREAKS = {
    "reset": Faults(reset_after_s=2.0, after_loss_s=0.3),
    "reset twice": Faults(reset_after_s=1.5, resets_max=2, after_loss_s=0.1),
    "garbage": Faults(garbage=(Garbage.BINARY,), garbage_every_s=0.02),
    "replaced": Faults(replay_after_s=1.0),
}
"""Without a close frame, once and again; closed by us (1008) after a hundred messages that are
none; and a second socket with the same ticket, which a doubled webhook leads to."""


async def test_streams_that_break_in_the_midst_of_a_reply(
    redis_url: str, database_url: str
) -> None:
    """The same session goes on, the caller hears the rest, and the record says so."""
    async with scene(redis_url, database_url, config=LONG_GREETING) as here:
        async with asyncio.TaskGroup() as tasks:
            calls = {name: tasks.create_task(lost(here, faults)) for name, faults in BREAKS.items()}
        resumes = await here.counted('call_resumes_total{cause="stream_lost"}')
        gaps = await here.counted("call_gap_seconds_count")
        assert len(here.sessions()) == len(calls), "a session is kept, or one is opened"
    broken = {name: call.result() for name, call in calls.items()}
    for name, played in broken.items():
        assert played.model.said_text() == STORY
        assert played.row.outcome == Outcome.CALLER_ENDED
        opened, losses = played.of(StreamOpened), played.of(StreamLost)
        resumed = played.of(CallResumed)
        assert len({fact.stream_sid for fact in opened}) == len(opened) == len(resumed) + 1
        assert [fact.reason for fact in losses] == [fact.cause for fact in resumed]
        epochs = [entry.epoch for entry in played.entries]
        assert epochs == sorted(epochs)
        assert len(played.of(CallEnded)) == 1
        if name != "replaced":  # There two carriers play, and the caller hears one of them.
            assert_heard_once_and_in_order(played, len(resumed))
            assert len(set(epochs)) == len(resumed) + 1
    (reset,) = broken["reset"].of(CallResumed)
    assert reset.cause == "dropped"
    assert reset.gap_ms is not None
    assert 300 <= reset.gap_ms < 2_000
    assert len(broken["reset twice"].of(CallResumed)) == 2
    assert broken["garbage"].report.streams[0].close_code == 1008
    assert broken["garbage"].of(StreamLost)[0].reason == "refused_messages"
    assert broken["replaced"].of(StreamLost)[0].reason == "replaced"
    assert resumes == gaps == sum(len(played.of(CallResumed)) for played in broken.values())


async def test_a_stream_that_ends_without_a_stop(redis_url: str, database_url: str) -> None:
    """The caller is gone: the callback ends the call, and the session does not wait."""
    async with scene(redis_url, database_url) as here:
        played = await lost(here, Faults(no_stop=True))
    assert played.ended == (Outcome.CALLER_ENDED, "completed")
    assert len(played.of(StreamLost)) == 1


async def test_a_line_that_breaks_again_and_again(redis_url: str, database_url: str) -> None:
    """Three resumes in a minute; the fourth loss gets the number's overflow action."""
    async with scene(redis_url, database_url, config=LONG_GREETING) as here:
        played = await lost(here, Faults(reset_after_s=0.4, resets_max=10, after_loss_s=0.05))
    assert played.ended == (Outcome.FAILED, "resumes_max")
    assert len(played.of(CallResumed)) == 3
    assert played.report.dialled == ("+15550100021",)
    assert len(here.sessions()) == 1


async def test_a_caller_who_hangs_up_while_the_call_resumes(
    redis_url: str, database_url: str
) -> None:
    """The callback and the redirect cross: one end, and nothing left."""
    faults = Faults(reset_after_s=1.0, after_loss_s=0.05, hang_up_during_resume=True)
    async with (
        scene(redis_url, database_url, config=LONG_GREETING) as here,
        asyncio.TaskGroup() as tasks,
    ):
        calls = [tasks.create_task(lost(here, faults)) for _ in range(8)]
    for call in calls:
        played = call.result()
        assert played.row.outcome == Outcome.CALLER_ENDED
        assert len(played.of(CallEnded)) == 1


async def test_a_webhook_that_comes_twice(redis_url: str, database_url: str) -> None:
    """The same answer byte for byte, before the stream and after it; one call in the log."""

    async def twice(here: Scene, after_ms: int) -> None:
        faults = Faults(duplicate_webhook=Duplicate.IGNORED, duplicate_after_ms=after_ms)
        report = await here.call(*conversation("this is caller seven"), faults=faults)
        assert report.copies_differed == 0
        assert ("agent", "i heard this is caller seven") in report.transcript
        assert (await here.logged(report.sid)).outcome == "caller_ended"

    async with scene(redis_url, database_url) as here:
        async with asyncio.TaskGroup() as tasks:
            for after_ms in (1, 30, 1_000):
                tasks.create_task(twice(here, after_ms))
        assert len(await here.book.calls(limit=10)) == 3


async def test_a_webhook_that_is_obeyed_twice(redis_url: str, database_url: str) -> None:
    """The carrier stops the first stream and starts a second of the same ticket: same session."""
    faults = Faults(duplicate_webhook=Duplicate.OBEYED, duplicate_after_ms=1_000)
    async with scene(redis_url, database_url) as here:
        report = await here.call(*conversation("this is caller seven"), faults=faults)
        told = await here.facts(report.sid)
        assert len(here.sessions()) == 1
    assert len(report.streams) == 2
    assert ("agent", "i heard this is caller seven") in report.transcript
    (resumed,) = [fact for fact in told if isinstance(fact, CallResumed)]
    assert resumed.cause == "stop"
    (end,) = [fact for fact in told if isinstance(fact, CallEnded)]
    assert (end.outcome, end.reason) == (Outcome.CALLER_ENDED, "stop")


class Forger:
    """Somebody with the account's signature, who asks what no carrier would."""

    def __init__(self, here: Scene) -> None:
        self._here = here

    async def post(self, path: str, call: str, status: str = "in-progress") -> tuple[int, str]:
        """A signed webhook."""
        request = webhooks.VoiceRequest(call, "AC1", CALLER, OUR_NUMBER, "inbound", status)
        url = self._here.public_url + path
        form = request.to_form()
        headers = {
            "X-Twilio-Signature": webhooks.sign(url, form, AUTH_TOKEN),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        async with self._here.http.post(url, data=form.encode(), headers=headers) as answer:
            return answer.status, await answer.text()

    async def ticket_and_path(self, call: str) -> tuple[str, str]:
        """Of a live call: its webhook is repeated, and gets its present document."""
        status, document = await self.post("/twilio/voice", call)
        assert status == 200
        return parts_of(document)


def parts_of(document: str) -> tuple[str, str]:
    """The ticket and the redirect's path in a document."""
    connect, redirect = twiml.parse(document)
    assert isinstance(connect, twiml.Connect)
    assert isinstance(redirect, twiml.Redirect)
    return connect.stream.parameters["ticket"], "/" + redirect.url.split("/", 3)[3]


async def test_tokens_that_are_not_good(redis_url: str, database_url: str) -> None:
    """Of another call, forged, from an older epoch: 403, counted, and the live call goes on."""
    async with scene(redis_url, database_url) as here, asyncio.TaskGroup() as tasks:
        forger = Forger(here)
        calls = [
            tasks.create_task(here.call(Listen(), WaitForHangUp(), from_=f"+1555010004{number}"))
            for number in range(2)
        ]
        await here.until(lambda: here.pod.view().calls_active == 2)
        one, other = here.carrier.live
        _, path = await forger.ticket_and_path(one)
        _, foreign = await forger.ticket_and_path(other)
        changed = path[:-3] + ("AAA" if not path.endswith("AAA") else "BBB")
        for bad in (foreign, changed, "/twilio/resume/r1.x.y"):
            assert (await forger.post(bad, one))[0] == 403
        refused = 'webhooks_refused_total{reason="bad_token"}'
        assert await here.counted(refused) == 3
        # The redirect as it comes behind a loss, and the same once more: the same answer.
        answers = [await forger.post(path, one) for _ in range(2)]
        assert answers[0] == answers[1]
        old_ticket, new = parts_of((await forger.post("/twilio/voice", one))[1])[0], answers[0][1]
        assert parts_of(new)[0] == old_ticket  # The live document is the newest.
        _, newer_path = parts_of(new)
        assert (await forger.post(newer_path, one))[0] == 200
        assert (await forger.post(path, one))[0] == 403  # Two epochs ago.
        assert await here.counted(refused) == 4
        assert here.pod.view().calls_active == 2
        for sid in here.carrier.live:
            here.carrier.hang_up(sid)
    for call in calls:
        report = call.result()
        assert not report.warnings
        assert len(report.streams) == 1


async def test_the_old_ticket_is_stale_once_the_call_has_moved_on(
    redis_url: str, database_url: str
) -> None:
    """A socket that brings it is closed with 1008 and counted; the call does not notice."""
    async with scene(redis_url, database_url) as here, asyncio.TaskGroup() as tasks:
        forger = Forger(here)
        call = tasks.create_task(here.call(Listen(), WaitForHangUp()))
        await here.until(lambda: here.pod.view().calls_active == 1)
        (sid,) = here.carrier.live
        old, path = await forger.ticket_and_path(sid)
        assert (await forger.post(path, sid))[0] == 200
        code = await brings(here, sid, old)
        assert code == 1008
        assert await here.counted('streams_refused_total{reason="stale_ticket"}') == 1
        here.carrier.hang_up(sid)
    assert not call.result().warnings
    assert len(call.result().streams) == 1


async def brings(here: Scene, call: str, ticket: str) -> int | None:
    """A stranger's socket with this ticket: the close code that it gets."""
    url = here.public_url.replace("http", "ws", 1) + "/pods/pod-0/media"
    start = {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ" + "9" * 32,
        "start": {
            "accountSid": "AC1",
            "streamSid": "MZ" + "9" * 32,
            "callSid": call,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"ticket": ticket},
        },
    }
    async with here.http.ws_connect(url) as socket:
        await socket.send_json({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await socket.send_json(start)
        message = await socket.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.CLOSE
        return socket.close_code


async def test_a_carrier_that_hangs_up_on_a_lost_stream(redis_url: str, database_url: str) -> None:
    """Unconfirmed, so supported: no redirect comes, the callback ends the call."""
    async with scene(redis_url, database_url, config=LONG_GREETING) as here:
        played = await lost(here, Faults(reset_after_s=1.0, after_loss=AfterLoss.HANG_UP))
        assert CallSid(played.report.sid) == played.row.call
    assert played.ended == (Outcome.CALLER_ENDED, "completed")
