"""One media stream: what is sent when, what is played, what is refused."""

import base64
import itertools
import json
from dataclasses import replace

import pytest

from sim.carrier_bench import MEDIA, Bench, talking
from sim.carrier_bot import ToyVoice, clear, mark, media
from trunkline.errors import CarrierProtocolError
from trunkline.sim.caller import Pause, Press, Say, WaitForHangUp
from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.events import StreamBinary, StreamStalled
from trunkline.sim.carrier.faults import Faults, Garbage
from trunkline.sim.carrier.frames import FRAMES_LATE_MAX
from trunkline.sim.tally import Marks
from trunkline.sim.timemark import mark as mark_of_time
from trunkline.sim.timemark import read
from trunkline.wire import twilio as wire


def test_connected_and_start_open_the_stream() -> None:
    """Once each, in this order, with the sequence number of the first and the parameters."""
    bench = talking(
        voice='<Response><Connect><Stream url="wss://bot.example/media">'
        '<Parameter name="ticket" value="a&quot;b"/></Stream></Connect></Response>'
    )
    connected, start = (message for _, _, message in bench.sent)
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start["sequenceNumber"] == "1"
    fields = start["start"]
    assert isinstance(fields, dict)
    assert fields["customParameters"] == {"ticket": 'a"b'}
    assert fields["callSid"] == bench.call.plan.sid
    assert fields["tracks"] == ["inbound"]
    assert fields["mediaFormat"] == {
        "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1,
    }  # fmt: skip
    assert fields["streamSid"] == start["streamSid"]
    assert str(start["streamSid"]).startswith("MZ")


def test_frames_flow_every_20_ms_also_in_silence() -> None:
    """160 bytes of 0xFF, counters as strings, timestamps on the stream's clock."""
    bench = talking().go(1.0)
    frames = bench.messages("media")
    assert len(frames) == 50
    for number, frame in enumerate(frames, 1):
        assert frame["sequenceNumber"] == str(number + 1)
        assert frame["media"] == {
            "track": "inbound",
            "chunk": str(number),
            "timestamp": str(20 * number),
            "payload": base64.b64encode(b"\xff" * 160).decode(),
        }
    times = bench.times("media")
    assert [round(late - times[0], 6) for late in times] == [
        round(0.02 * number, 6) for number in range(50)
    ]


def test_a_late_tick_does_not_make_the_next_late() -> None:
    """What is overdue comes in a burst; then the absolute clock goes on; lateness is reported."""
    bench = talking().go(0.2)
    bench.now += 0.095
    bench.go(0.0).go(1.0)
    times = bench.times("media")
    assert len(times) in {64, 65}
    gaps = [round(b - a, 6) for a, b in itertools.pairwise(times)]
    assert gaps.count(0.0) >= 3
    assert 75 <= bench.report.frame_late_ms_max <= 95


def test_audio_later_than_five_seconds_is_lost_not_late() -> None:
    """A simulator that slept skips frames, and says so (31930)."""
    bench = talking().go(0.1)
    bench.now += FRAMES_LATE_MAX * 0.02 + 1.0
    bench.go(0.0).go(0.1)
    timestamps = [
        int(str(message["media"]["timestamp"]))
        for message in bench.messages("media")
        if isinstance(message["media"], dict)
    ]
    assert timestamps == sorted(set(timestamps))
    assert timestamps[-1] >= 6000
    assert bench.report.warnings[31930] > 0


def test_what_the_person_says_is_sent_exactly() -> None:
    """Frame by frame, and stamped in the ledger only where it is speech."""
    bench = talking([Say("hello there"), WaitForHangUp()]).go(1.0)
    sent = b"".join(
        base64.b64decode(message["media"]["payload"])
        for message in bench.messages("media")
        if isinstance(message["media"], dict)
    )
    assert sent.rstrip(b"\xff") == ToyVoice().speak("hello there")


def test_keys_are_messages_of_their_own() -> None:
    """One for each press, on a track named otherwise than in media."""
    bench = talking([Press("5#"), WaitForHangUp()]).go(1.0)
    assert [message["dtmf"] for message in bench.messages("dtmf")] == [
        {"digit": "5", "track": "inbound_track"},
        {"digit": "#", "track": "inbound_track"},
    ]
    sequences = [
        int(str(message["sequenceNumber"]))
        for _, _, message in bench.sent
        if "sequenceNumber" in message
    ]
    assert sequences == list(range(1, len(sequences) + 1))


def test_audio_is_played_in_order_and_marks_stand_at_their_place() -> None:
    """A mark comes back when the audio before it was played: after 400 ms here."""
    bench = talking()
    sid, began = bench.stream_sid, bench.now
    bench.server(media(sid, b"a" * 3200)).server(mark(sid, "m1"))
    bench.server(media(sid, b"b" * 1600)).server(mark(sid, "m2"))
    bench.go(2.0)
    assert [message["mark"] for message in bench.messages("mark")] == [
        {"name": "m1"},
        {"name": "m2"},
    ]
    first, second = bench.times("mark")
    assert first - began == pytest.approx(0.4, abs=1e-6)
    assert second - began == pytest.approx(0.6, abs=1e-6)
    assert bytes(bench.report.turns[0].played) == b"a" * 3200 + b"b" * 1600


def test_a_mark_in_silence_comes_back_at_once() -> None:
    """Nothing is queued: nothing is waited for."""
    bench = talking()
    bench.server(mark(bench.stream_sid, "now"))
    assert bench.times("mark") == [bench.now]


def test_clear_echoes_all_pending_marks_at_once() -> None:
    """And what was queued is never heard; the person knows when silence came."""
    bench = talking()
    sid = bench.stream_sid
    bench.server(media(sid, b"a" * 8000)).server(mark(sid, "m1")).server(mark(sid, "m2"))
    bench.go(0.3).server(clear(sid))
    assert [message["mark"] for message in bench.messages("mark")] == [
        {"name": "m1"},
        {"name": "m2"},
    ]
    assert bench.times("mark")[0] == bench.now
    bench.go(2.0)
    assert bench.report.bytes_played == 2400
    (stream,) = bench.report.streams
    assert (stream.bytes_cleared, stream.clears, stream.marks_echoed) == (5600, 1, 2)


def test_audio_already_on_its_way_may_still_play_after_a_clear() -> None:
    """A switch: the value is not documented."""
    bench = talking(faults=Faults(clear_tail_ms=100))
    sid = bench.stream_sid
    bench.server(media(sid, b"a" * 8000)).go(0.3).server(clear(sid)).go(1.0)
    assert bench.report.bytes_played == 3200


ACCEPTED = '{"event":"clear","streamSid":"%s"}'
REFUSED = [
    ("not json", 31951),
    ("[]", 31951),
    ("{}", 31951),
    ('{"event":"dtmf","streamSid":"%s","dtmf":{"digit":"1"}}', 31951),
    ('{"event":"clear"}', 31951),
    ('{"event":"clear","streamSid":"MZ00000000000000000000000000000000"}', 31951),
    ('{"event":"clear","streamSid":"%s","sequenceNumber":"1"}', 31951),
    ('{"event":"clear","streamSid":7}', 31951),
    ('{"event":"media","streamSid":"%s"}', 31951),
    ('{"event":"media","streamSid":"%s","media":{}}', 31951),
    ('{"event":"media","streamSid":"%s","media":{"payload":7}}', 31951),
    ('{"event":"media","streamSid":"%s","media":{"payload":"?"}}', 31951),
    ('{"event":"media","streamSid":"%s","media":{"payload":"//8=","track":"outbound"}}', 31951),
    ('{"event":"mark","streamSid":"%s","mark":{}}', 31951),
    ('{"event":"mark","streamSid":"%s","mark":{"name":"a","at":1}}', 31951),
    ('{"event":"Mark","streamSid":"%s","mark":{"name":"a"}}', 31951),
]


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_a_server_that_breaks_the_protocol_is_counted(text: str, code: int) -> None:
    """Dropped, counted each time, written down once; the stream goes on."""
    bench = talking()
    for _ in range(3):
        bench.server(text.replace("%s", bench.stream_sid))
    assert bench.report.warnings == {code: 3}
    noted = [entry for entry in bench.report.events if entry.said == "warning"]
    assert [entry.detail for entry in noted] == [str(code)]
    assert bench.events("connected", "start", "media") == []
    bench.server(ACCEPTED % bench.stream_sid).go(0.1)
    assert bench.report.warnings == {code: 3}


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[" * 30_000, b'{"event":"' + b"x" * 70_000])
def test_a_message_that_can_not_be_read_is_malformed(text: bytes) -> None:
    """31950 or 31951, never an exception."""
    bench = talking().server(text)
    (code,) = bench.report.warnings
    assert code in {31950, 31951}


def test_a_binary_message_is_malformed() -> None:
    """31950, each time."""
    bench = talking()
    bench.happen(StreamBinary(0)).happen(StreamBinary(0))
    assert bench.report.warnings == {31950: 2}


def test_a_server_that_reads_too_slowly_loses_audio() -> None:
    """Twilio drops what it can't deliver (31930), and goes on when the server reads again."""
    bench = talking().go(0.1)
    bench.happen(StreamStalled(0, stalled=True)).go(0.2)
    bench.happen(StreamStalled(0, stalled=False)).go(0.1)
    assert bench.report.warnings == {31930: 10}
    assert len(bench.messages("media")) == 10
    sequences = [message["sequenceNumber"] for message in bench.messages("media")]
    assert sequences == [str(number) for number in range(2, 12)]


def test_stop_ends_the_stream_unless_a_fault_forbids() -> None:
    """`stop` names account and call; then the socket is closed."""
    bench = talking([Pause(200)]).go(1.0)
    (stop,) = bench.messages("stop")
    assert stop["stop"] == {"accountSid": Account().sid, "callSid": bench.call.plan.sid}
    assert bench.closed == [0]
    silent = talking([Pause(200)], faults=Faults(no_stop=True)).go(1.0)
    assert silent.messages("stop") == []
    assert silent.closed == [0]


def test_jitter_stalls_frames_and_then_bursts() -> None:
    """Every frame comes, some up to 200 ms late, and the clock does not slip."""
    bench = talking(faults=Faults(jitter_every_s=0.3, jitter_ms_max=200)).go(5.0)
    times = bench.times("media")
    assert len(times) >= 240
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert 0.1 < max(gaps) < 0.23
    assert gaps.count(0.0) > 20
    assert bench.report.frame_late_ms_max < 25


def test_a_slow_reader_stops_reading_for_a_while() -> None:
    """The switch holds the server's messages back, once."""
    bench = talking(faults=Faults(slow_reader_after_s=1.0, slow_reader_for_s=2.0)).go(5.0)
    assert bench.reads == [False, True]


def test_a_reset_drops_the_connection_without_a_word() -> None:
    """No stop, no close frame; nothing is sent after it."""
    bench = talking(faults=Faults(reset_after_s=0.5)).go(0.6)
    assert bench.reset == [0]
    assert bench.closed == []
    assert bench.messages("stop") == []
    assert len(bench.messages("media")) <= 25


def test_what_was_played_until_a_reset_was_heard() -> None:
    """Up to the byte, however long ago the queue was looked at."""
    bench = talking(faults=Faults(reset_after_s=0.55)).go(0.1)
    bench.server(media(bench.stream_sid, b"a" * 8000)).go(0.6)
    assert bench.reset == [0]
    assert 3520 <= bench.report.bytes_played <= 3520 + 160


@pytest.mark.parametrize("kind", list(Garbage))
def test_garbage_of_every_kind_goes_out(kind: Garbage) -> None:
    """What it is meant to be, and not something our own codec would send."""
    bench = talking(faults=Faults(garbage=(kind,), garbage_every_s=0.5)).go(1.1)
    sent = bench.raw[2:]
    assert len(sent) == 2
    for message in sent:
        assert message.binary == (kind is Garbage.BINARY)
        try:
            decoded = wire.decode(message.data)
        except CarrierProtocolError:
            continue
        valid = {Garbage.SECOND_START, Garbage.OUT_OF_ORDER, Garbage.FOREIGN_SID}
        assert isinstance(decoded, wire.Unknown) or kind in valid | {Garbage.NOT_BASE64}


def test_frames_may_be_longer_for_the_simulated_world() -> None:
    """200 ms: the same audio in a tenth of the messages."""
    account = replace(Account(), frame_ms=200)
    bench: Bench = talking([Say("hello there"), WaitForHangUp()], account=account).go(2.0)
    frames = bench.messages("media")
    assert len(frames) == 10
    audio = b"".join(
        base64.b64decode(frame["media"]["payload"])
        for frame in frames
        if isinstance(frame["media"], dict)
    )
    assert len(audio) == 16_000
    assert audio.startswith(ToyVoice().speak("hello there"))
    assert json.dumps(frames[1]["media"]).count('"400"') == 1


def test_frames_carry_marks_where_they_are_asked_for() -> None:
    """Silence and speech, with the call's number, counted on over two streams of the call."""
    bench = talking(
        [Say("hello there"), WaitForHangUp()],
        after=f'<Connect><Stream url="{MEDIA}"/></Connect>',
        marks=Marks(7),
    ).go(1.0)
    bench.server(media(bench.stream_sid, mark_of_time(99, 7, 0, 5, b"a" * 1600)))
    bench.server(media(bench.stream_sid, mark_of_time(99, 8, 0, 5, b"a" * 1600)))
    bench.close(1000).go(1.0)
    found = [
        read(base64.b64decode(frame["media"]["payload"]))
        for frame in bench.messages("media")
        if isinstance(frame["media"], dict)
    ]
    assert len(found) > 80
    assert [each.seq for each in found if each] == list(range(len(found)))
    assert {each.call for each in found if each} == {7}
    for each, at in zip(found, bench.times("media"), strict=True):
        assert each is not None
        assert each.at_us == int(at * 1e6)
    marks = bench.report.marks
    assert marks is not None
    assert (marks.sent, marks.came.count, marks.came.crossed) == (len(found), 1, 1)
    assert not bench.report.ledger.departures


def test_a_strangers_frames_carry_none() -> None:
    """Its audio is no call's."""
    bench = talking(faults=Faults(replay_after_s=0.1), marks=Marks(7)).go(1.0)
    probes = [message for _, stream, message in bench.sent if stream == 1]
    assert len(probes) > 10
    sounds = [fields["payload"] for m in probes if isinstance(fields := m.get("media"), dict)]
    assert set(sounds) == {base64.b64encode(b"\xff" * 160).decode()}
