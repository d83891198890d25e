"""One session's life: lines 1, 2 and 9 of the check list, and whatever a client may send."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model_client import ModelClient, connected, telephony
from trunkline.sim.ledger import fingerprint
from trunkline.sim.realtime.machine import EARLY_EVENTS_MAX, Close, Reset, Send
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.speech import FRAME_BYTES, SILENCE, recorded
from trunkline.sim.tally import Marks
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.client import CreateResponse
from trunkline.wire.realtime.items import FunctionCall, FunctionCallOutput, InputText, Message
from trunkline.wire.realtime.session import EffectiveSession, Session


def test_the_first_event_is_the_session_with_its_defaults() -> None:
    """Check list, line 2; `expires_at` is an hour ahead."""
    line = ModelClient()
    assert line.kinds() == ["SessionCreated"]
    session = line.of(server.SessionCreated)[0].session
    assert isinstance(session, EffectiveSession)
    assert session.expires_at == 1_700_000_000 + 3600
    assert (session.id, session.model) == ("sess_abc1", "gpt-realtime-2.1")
    assert (session.output_modalities, session.tool_choice) == (["audio"], "auto")
    assert (session.max_output_tokens, session.tools) == ("inf", [])


def test_the_beta_shape_is_told_off_and_closed() -> None:
    """Check list, line 1: an error, close 4000, no session."""
    line = ModelClient(beta=True)
    assert line.errors() == ["beta_api_shape_disabled"]
    assert isinstance(line.closed, Close)
    assert line.closed.code == 4000
    assert line.of(server.SessionCreated) == []
    assert line.send(CreateResponse()) == []
    assert line.server.deadline() is None


def test_an_accepted_socket_is_not_yet_a_session() -> None:
    """A switch: an error and a close in place of session.created."""
    line = ModelClient(None, "session_error=insufficient_quota")
    assert line.errors() == ["insufficient_quota"]
    assert isinstance(line.closed, Close)
    assert line.of(server.SessionCreated) == []


def test_a_late_session_answers_what_came_before_it() -> None:
    """Check list, line 9: session.created is first all the same."""
    line = ModelClient(None, "session_delay=2")
    line.send(telephony())
    line.wait(1.9)
    assert line.events == []
    line.wait(0.2)
    assert line.kinds() == ["SessionCreated", "SessionUpdated"]


def test_a_flood_before_the_session_is_bounded() -> None:
    """A client that does not wait is closed."""
    line = ModelClient(None, "session_delay=60")
    for _ in range(EARLY_EVENTS_MAX + 1):
        line.send(client.ClearAudio())
    assert isinstance(line.closed, Close)
    assert line.closed.code == 1008


def test_a_session_expires_after_an_hour_or_when_a_switch_says() -> None:
    """Check list, line 9: session_expired, then close 1001."""
    for line, seconds in (
        (ModelClient(), 3600.0),
        (ModelClient(None, "expire=30"), 30.0),
        (ModelClient(RealtimeSimOptions(session_s_max=7.0)), 7.0),
    ):
        line.wait(seconds - 0.1)
        assert line.closed is None
        line.wait(0.2)
        assert line.errors() == ["session_expired"]
        assert isinstance(line.closed, Close)
        assert line.closed.code == 1001
        assert line.server.tick(line.now) == []
        assert line.record.close_code == 1001


def test_a_session_in_the_middle_of_an_answer_expires_too() -> None:
    """By a test's own hand, once."""
    line = connected()
    line.send(CreateResponse())
    line.wait(0.5)
    error, close = line.server.expire()
    assert isinstance(error, Send)
    assert isinstance(error.event, server.Error)
    assert error.event.error.code == "session_expired"
    assert isinstance(close, Close)
    assert line.server.expire() == []
    assert line.server.deadline() is None


def test_the_connection_is_reset_by_a_switch() -> None:
    """Check list, line 9: without a close frame."""
    line = connected("reset=5")
    line.send(CreateResponse())
    line.wait(5.1)
    assert isinstance(line.closed, Reset)
    assert line.server.closed


def test_a_stalled_session_takes_all_and_says_nothing() -> None:
    """Check list, line 9: open but silent, in the middle of an answer too."""
    line = connected("stall=0.5")
    line.send(CreateResponse())
    line.wait(0.6)
    seen = len(line.events)
    assert line.of(server.AudioDelta)
    line.say("hello")
    line.send("garbage")
    line.wait(600.0)
    assert len(line.events) == seen
    assert line.closed is None


def test_a_session_can_be_stalled_by_hand() -> None:
    """A stalled one still expires: an hour is an hour."""
    line = connected()
    line.server.stall()
    line.say("hello")
    assert line.of(server.SpeechStarted) == []
    line.wait(3600.0)
    assert line.errors() == ["session_expired"]


def test_the_first_reason_of_an_end_is_kept() -> None:
    """Our close, not the disconnect that follows it."""
    line = ModelClient(None, "expire=1")
    line.wait(1.1)
    line.server.lost(line.now, 1006, "the connection broke")
    line.server.lost(line.now + 5, 1000)
    assert (line.record.close_code, line.record.closed_at) == (1001, line.now)


def test_audio_is_stamped_at_both_directions() -> None:
    """Each append as it came, each delta as it left, by the payload's fingerprint."""
    line = connected()
    line.say("hello")
    line.answer()
    ledger = line.record.ledger
    deltas = line.of(server.AudioDelta)
    assert [mark for mark, _ in ledger.departures] == [fingerprint(e.delta) for e in deltas]
    assert len(ledger.arrivals) == line.record.events["AppendAudio"]
    times = [at for _, at in ledger.arrivals]
    assert times == sorted(times)


def test_marks_are_read_and_written_where_they_are_asked_for() -> None:
    """The caller's number comes back in each delta; what was kept is what was sent."""
    line = connected(options=RealtimeSimOptions(marks=True))
    caller = Marks(7)
    for at in range(0, len(spoken := recorded().speak("hello") + SILENCE * 30), FRAME_BYTES):
        piece = caller.put(line.now - 0.004, spoken[at : at + FRAME_BYTES])
        line.send(client.AppendAudio(base64.b64encode(piece).decode()))
        line.wait(0.02)
    line.answer()
    line.server.lost(line.now)  # What waited is counted then at the latest.
    marks = line.record.marks
    assert marks is not None
    assert (marks.call, marks.came.count, marks.came.lost) == (7, caller.sent, 0)
    assert marks.came.latency_us.quantile(0.5) == pytest.approx(4000, abs=80)
    assert line.record.heard_text() == "hello"
    for event in line.of(server.AudioDelta):
        caller.take(line.now, base64.b64decode(event.delta))
    assert (caller.came.count, caller.came.lost) == (marks.sent, 0)
    assert b"".join(bytes(item.audio) for item in line.record.said) == line.audio()
    assert not line.record.ledger.arrivals
    assert not line.record.ledger.departures


def test_frames_that_change_nothing_wait_for_one_another() -> None:
    """Of a load test only; what follows from them, and when they came, is the same."""
    waiting = connected(options=RealtimeSimOptions(marks=True))
    at_once = connected(options=RealtimeSimOptions(marks=True))
    caller, spoken = Marks(7), recorded().speak("i need an appointment")
    audio = SILENCE * 17 + spoken + SILENCE * 33 + spoken[: 5 * FRAME_BYTES]
    for at in range(0, len(audio), FRAME_BYTES):
        piece = caller.put(waiting.now - 0.004, audio[at : at + FRAME_BYTES])
        append = client.encode(client.AppendAudio(base64.b64encode(piece).decode()))
        for line in (waiting, at_once):
            line.send(append if line is waiting else append.replace(b'"', b' "', 1))
            line.wait(0.02)
    waiting.server.lost(waiting.now)
    mine, other = waiting.record, at_once.record
    assert mine.marks is not None
    assert other.marks is not None
    assert mine.marks.came.as_figures() == other.marks.came.as_figures()
    assert mine.marks.came.count == caller.sent
    assert mine.heard == other.heard
    assert (mine.bytes_heard, mine.events) == (other.bytes_heard, other.events)
    assert [type(event) for event in waiting.events] == [type(event) for event in at_once.events]


def test_audio_is_not_kept_where_nobody_asks_for_it() -> None:
    """Hundreds of calls for hours: the words are kept, the bytes are not."""
    line = connected(options=RealtimeSimOptions(keep_audio=False))
    line.say("hello")
    item_id = str(line.answer().response.output[0].id)
    assert line.record.heard[0].text == "hello"
    assert line.record.heard[0].audio == b""
    assert line.record.said[0].audio == b""
    assert line.record.said[0].audio_ms > 0
    line.send(client.TruncateItem(item_id, 0, 100))
    assert line.errors() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "null",
        "[]",
        '{"type":"nothing.known"}',
        '{"type":"input_audio_buffer.append"}',
        '{"type":"input_audio_buffer.append","audio":"not base64!"}',
        '{"type":"input_audio_buffer.append","audio":5}',
        '{"type":"response.create","response":{"modalities":["audio"]}}',
        '{"type":"session.update","session":{"type":"realtime","modalities":["audio"]}}',
        "[" * 10_000,
        b"\xff\xfe",
        '{"type":"response.cancel","response_id":"\\ud800"}',
    ],
)
def test_garbage_is_refused_and_the_session_goes_on(text: str | bytes) -> None:
    """One error for each, counted."""
    line = connected()
    line.send(text)
    assert len(line.errors()) == 1
    assert line.record.errors.total() == 1
    line.say("hello")
    assert line.answer().response.status == "completed"


WORDS = st.sampled_from(["hello", "tell me a story", "is it in stock", "seven"])
DEEDS = st.one_of(
    st.tuples(st.just("say"), WORDS),
    st.tuples(st.just("wait"), st.sampled_from(["0.05", "0.4", "2.0"])),
    st.sampled_from(
        ["create", "cancel", "commit", "clear", "item", "output", "cut", "cut far", "delete", "vad"]
    ).map(lambda deed: (deed, "")),
)


def act(line: ModelClient, deed: str, detail: str) -> None:
    said = [item.item_id for item in line.record.said] or ["item_nobody"]
    match deed:
        case "say":
            audio = recorded().speak(detail) + SILENCE * 30
            line.hear(audio, piece_ms=200)
        case "wait":
            line.wait(float(detail))
        case "create":
            line.send(CreateResponse())
        case "cancel":
            line.send(client.CancelResponse())
        case "commit":
            line.send(client.CommitAudio())
        case "clear":
            line.send(client.ClearAudio())
        case "item":
            line.send(client.CreateItem(Message("user", [InputText("seven")])))
        case "output":
            line.send(client.CreateItem(FunctionCall("t", "{}", f"c{len(line.events)}")))
            line.send(client.CreateItem(FunctionCallOutput(f"c{len(line.events)}", "")))
        case "cut":
            line.send(client.TruncateItem(said[-1], 0, 100))
        case "cut far":
            line.send(client.TruncateItem(said[0], 0, 10**9))
        case "delete":
            line.send(client.DeleteItem(said[0]))
        case _:
            line.send(client.SessionUpdate(Session(instructions=str(len(line.events)))))


@settings(max_examples=150, deadline=None)
@given(st.lists(DEEDS, max_size=12))
def test_whatever_a_client_does_a_session_keeps_its_order(deeds: list[tuple[str, str]]) -> None:
    """Each response ends exactly once, one at a time; no delta after its end; ids unlike."""
    line = connected()
    for deed, detail in deeds:
        act(line, deed, detail)
    line.wait(30.0)
    active: str | None = None
    ended: set[str] = set()
    for event in line.events:
        match event:
            case server.ResponseCreated(response=response):
                assert active is None
                active = response.id
            case server.ResponseDone(response=response):
                assert response.id == active
                active = None
                ended.add(response.id)
                assert all(item.status != "in_progress" for item in response.output)
            case server.AudioDelta(response_id=response_id):
                assert response_id == active
            case _:
                pass
    assert active is None
    assert len(ended) == line.record.responses.total()
    assert len({event.event_id for event in line.events}) == len(line.events)
    for said in line.record.said:
        assert said.audio == line.audio(said.item_id)
        assert said.status != "in_progress"


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=6,
    ),
    st.sampled_from(
        ["session.update", "conversation.item.create", "response.create", "x", "response.cancel"]
    ),
)
def test_any_json_is_answered_and_nothing_breaks(tree: object, kind: str) -> None:
    """Machines raise nothing for what a client sends."""
    line = ModelClient()
    line.send(json.dumps(tree))
    field = {"session.update": "session", "conversation.item.create": "item"}.get(kind, "response")
    line.send(json.dumps({"type": kind, field: tree}))
    assert line.closed is None
