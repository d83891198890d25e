"""What the caller has heard: the account against a play queue that really plays."""

from base64 import b64decode
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from call.script import NEXT_SID, SID, audio, marked, sent
from trunkline.call.actions import Action, Note, NoteName, ToCaller
from trunkline.call.playout import (
    MARKS_MAX,
    RETAINED_CHUNKS_MAX,
    SEGMENTS_MAX,
    Heard,
    Playout,
)
from trunkline.wire.g711 import payload_bytes
from trunkline.wire.twilio import SendMark, SendMedia

DELAY_MS_MAX = 200
"""Each way, in the simulated network."""

ROUNDING_MS = 3
"""Of bytes to milliseconds, and of a replay that begins at one of base64's triples."""


def playout() -> Playout:
    made = Playout()
    made.stream_sid = SID
    return made


@dataclass
class Network:
    """A carrier's play queue behind a network that delays, keeps order, and may lose echoes.

    Times are milliseconds. `spans` is what was really played: from when, and how long.
    """

    spans: list[tuple[int, int]] = field(default_factory=list)
    pending: list[tuple[int, str]] = field(default_factory=list)
    arrived_ms: int = 0
    free_ms: int = 0
    echoed_ms: int = 0

    def carry(self, actions: list[Action], now_ms: int, delay_ms: int, *, lose: bool) -> None:
        """Bring what is said to the caller to the queue."""
        for action in actions:
            assert isinstance(action, ToCaller)
            self.arrived_ms = max(self.arrived_ms, now_ms + delay_ms)
            match action.message:
                case SendMedia(media=media):
                    start = max(self.arrived_ms, self.free_ms)
                    length = payload_bytes(media.payload) // 8
                    self.spans.append((start, length))
                    self.free_ms = start + length
                case SendMark(mark=mark):
                    if not lose:
                        self.pending.append((max(self.arrived_ms, self.free_ms), mark.name))
                case _:
                    self._clear(self.arrived_ms)

    def _clear(self, at_ms: int) -> None:
        self.spans = [(start, max(min(length, at_ms - start), 0)) for start, length in self.spans]
        self.free_ms = min(self.free_ms, at_ms)
        self.pending = [(min(due, at_ms), name) for due, name in self.pending]

    def due(self, now_ms: int, delay_ms: int) -> list[tuple[int, str]]:
        """Echoes that have come back by now, in order."""
        came = []
        for due, name in list(self.pending):
            at = max(self.echoed_ms, due + delay_ms)
            if at > now_ms:
                break
            self.echoed_ms = at
            self.pending.remove((due, name))
            came.append((at, name))
        return came

    def played_ms(self, now_ms: int) -> int:
        """How much was really played by now."""
        return sum(min(max(now_ms - start, 0), length) for start, length in self.spans)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "wait", "wait", "wait", "next item", "clear"]),
        st.integers(1, 1500),
        st.integers(0, DELAY_MS_MAX),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=600)
@given(steps=STEPS, up_ms=st.integers(0, DELAY_MS_MAX), lossy=st.booleans())
def test_heard_is_never_far_from_the_truth(
    steps: list[tuple[str, int, int, bool]], up_ms: int, *, lossy: bool
) -> None:
    """Ahead by the delay to the carrier at most; behind, without losses, by the delay back.

    It never falls, and the items' parts are the whole.
    """
    account, network, now_ms, items = playout(), Network(), 0, 1
    before_ms = cleared_ms = 0
    for what, length_ms, delay_ms, lose in steps:
        said: list[Action] = []
        match what:
            case "send":
                said = account.send(f"i{items}", audio(length_ms), now_ms / 1000)
            case "next item":
                said = account.mark()
                items += 1
            case "wait":
                for at_ms, name in network.due(now_ms + length_ms, up_ms):
                    assert account.echoed(name, max(at_ms, now_ms) / 1000)
                now_ms += length_ms
            case _:
                said = account.clear(now_ms / 1000)
                assert account.drained
                before_ms = 0
        network.carry(said, now_ms, delay_ms, lose=lose and lossy)
        if what == "clear":
            cleared_ms = network.played_ms(now_ms + 10**9)  # From here both begin anew.
        heard = [account.heard(f"i{n}", now_ms / 1000) for n in range(1, items + 1)]
        heard_ms = sum(item.heard_ms for item in heard)
        truth_ms = network.played_ms(now_ms) - cleared_ms
        assert all(item.heard_ms <= item.received_ms for item in heard)
        assert heard_ms <= max(truth_ms, 0) + DELAY_MS_MAX + ROUNDING_MS
        assert heard_ms >= before_ms
        assert lossy or heard_ms >= truth_ms - DELAY_MS_MAX - ROUNDING_MS - items
        received_ms = sum(item.received_ms for item in heard)
        assert abs(heard_ms + account.unplayed_ms(now_ms / 1000) - received_ms) <= items + 1
        before_ms = heard_ms
    network.carry(account.mark(), now_ms, 0, lose=False)
    for at_ms, name in network.due(now_ms + 10**6, up_ms):
        account.echoed(name, at_ms / 1000)
    assert lossy or account.drained


def replayed(actions: list[Action]) -> bytes:
    """The audio that is sent again."""
    messages = [a.message for a in actions if isinstance(a, ToCaller)]
    return b"".join(b64decode(m.media.payload) for m in messages if isinstance(m, SendMedia))


def mark_names(actions: list[Action]) -> list[str]:
    messages = [a.message for a in actions if isinstance(a, ToCaller)]
    return [m.mark.name for m in messages if isinstance(m, SendMark)]


CHUNKS_MS = st.lists(st.integers(1, 900), max_size=30)


@settings(max_examples=300)
@given(
    before_ms=CHUNKS_MS, echoes=st.integers(0, 30), after_ms=CHUNKS_MS, at_ms=st.integers(0, 9999)
)
def test_a_replay_goes_on_where_the_caller_was(
    before_ms: list[int], echoes: int, after_ms: list[int], at_ms: int
) -> None:
    """Without a hole, and with no more than a triple of bytes twice, for twelve seconds."""
    account, line, names, now = playout(), b"", list[str](), at_ms / 1000
    for number, length_ms in enumerate(before_ms):
        line += bytes([number]) * (8 * length_ms)
        names += mark_names(account.send("i", audio(length_ms, byte=bytes([number])), 0.0))
    for name in names[:echoes]:
        account.echoed(name, now)
    heard = account.heard("i", now)
    account.lose(now)
    for number, length_ms in enumerate(after_ms, start=100):
        line += bytes([number]) * (8 * length_ms)
        assert account.send("i", audio(length_ms, byte=bytes([number])), now + 1) == []
    assert account.heard("i", now + 50).heard_ms == heard.heard_ms
    actions, cut = account.resume(NEXT_SID, now + 5)
    sound, rest = replayed(actions), line[8 * heard.heard_ms :]
    assert account.heard("i", now + 5).heard_ms == heard.heard_ms
    assert account.queued_ms("i") == heard.heard_ms + account.unplayed_ms(now + 5)
    # The position may lie inside a triple and inside a millisecond: some bytes come again.
    again = next(n for n in range(12) if rest.startswith(sound[n:]))
    if cut:
        assert len(sound) - again < len(rest)
        assert not sound or len(sound) + 8 * 1000 > 8 * 12_000 - 8 * heard.heard_ms
    else:
        assert len(sound) - again >= len(rest) - 8
    for name in mark_names(actions):
        account.echoed(name, now + 60)
    assert account.drained
    assert account.played("i")
    assert account.size() <= 1


def test_a_second_replay_is_as_good_as_the_first() -> None:
    """Streams may break again and again."""
    account = playout()
    account.send("i", audio(900), 0.0)
    for number in range(5):
        account.lose(number + 0.1)
        actions, _ = account.resume(NEXT_SID, number + 1.0)
        assert len(replayed(actions)) == pytest.approx(8 * (900 - 100 * (number + 1)), abs=16)


def test_what_lies_behind_a_hole_is_not_replayed() -> None:
    """Twelve seconds are kept; when they were heard, audio behind the next hole is none of use."""
    account = playout()
    for _ in range(20):
        account.send("i", audio(1000), 0.0)
    account.echoed("m13", 13.0)
    account.send("j", audio(1000), 13.0)
    account.lose(13.5)
    actions, cut = account.resume(NEXT_SID, 14.0)
    assert actions == []
    assert cut == ["i", "j"]
    assert (account.queued_ms("i"), account.queued_ms("j")) == (13_500, 0)
    assert account.drained


def test_a_replay_ends_where_the_kept_audio_has_a_hole() -> None:
    """Audio that came after the hole is not glued to what was before it."""
    account = playout()
    for _ in range(20):
        account.send("i", audio(1000), 0.0)
    account.echoed("m10", 10.0)
    account.send("i", audio(1000, byte=b"\x01"), 10.0)
    account.lose(10.0)
    actions, cut = account.resume(NEXT_SID, 11.0)
    assert replayed(actions) == b"\xff" * 8 * 2000
    assert cut == ["i"]


def test_an_item_whose_account_is_closed_is_nobodys() -> None:
    """Its audio may still stand in the queue: it is proven, replayed and cut like our own."""
    account = playout()
    account.send("i", audio(500), 0.0)
    account.forget("i")
    account.echoed("m1", 0.5)
    assert account.heard("i", 0.5) == Heard(0, 0)
    for _ in range(13):
        account.send("j", audio(1000), 0.5)
    account.forget("j")
    account.send(None, audio(300), 0.5)
    account.lose(0.5)
    actions, cut = account.resume(NEXT_SID, 1.0)
    assert (len(replayed(actions)), cut) == (8 * 12_000, [])


def test_audio_is_sent_as_it_came_with_marks_between() -> None:
    """Untouched, and an end that is marked already is not marked again."""
    account = playout()
    assert account.send("i", "", 0.0) == []
    assert account.send("i", "=", 0.0) == []
    assert account.send("i", audio(300), 0.0) == [ToCaller(sent(audio(300)))]
    assert account.mark() == [ToCaller(marked("m1"))]
    assert account.mark() == []
    assert account.send("i", audio(500), 0.0) == [
        ToCaller(sent(audio(500))),
        ToCaller(marked("m2")),
    ]
    assert account.mark() == []


@given(st.integers(1003, 5000))
def test_a_long_payload_loses_nothing_in_pieces(length_ms: int) -> None:
    """Its pieces put together are what came."""
    account = playout()
    assert replayed(account.send("i", audio(length_ms), 0.0)) == b"\xff" * (8 * length_ms)
    assert account.heard("i", 100.0).received_ms == length_ms


@pytest.mark.parametrize("name", ["m2", "m", "x1", "1", "m1x", "m-1", "", "m" + "9" * 5000])
def test_a_foreign_mark_proves_nothing(name: str) -> None:
    """Whatever its name is."""
    account = playout()
    account.send("i", audio(500), 0.0)
    assert not account.echoed(name, 0.0)
    assert account.heard("i", 0.0) == Heard(500, 0)


def test_an_echo_after_a_clear_proves_nothing() -> None:
    """The carrier returns all marks that were pending; new audio was not heard by that."""
    account = playout()
    account.send("i", audio(500), 0.0)
    account.clear(0.0)
    account.send("j", audio(500), 0.0)
    assert account.echoed("m1", 0.1)
    assert account.heard("j", 0.1) == Heard(500, 100)
    assert account.heard("i", 0.1) == Heard(0, 0)


def test_a_lost_echo_is_made_good_by_the_next() -> None:
    """Marks come back in order: a later one proves the earlier."""
    account = playout()
    for _ in range(3):
        account.send("i", audio(500), 0.0)
    assert account.heard("i", 3.0).heard_ms == 500
    account.echoed("m3", 3.0)
    assert account.heard("i", 3.0).heard_ms == 1500


def test_an_echo_sets_the_clock_right() -> None:
    """A carrier that plays later than we sent is believed from its first mark on."""
    account = playout()
    for _ in range(3):
        account.send("i", audio(500), 0.0)
    account.echoed("m1", 2.5)
    assert account.heard("i", 2.6).heard_ms == 600


def test_the_clock_starts_anew_after_a_silence() -> None:
    """Time in which nothing played counts for nothing."""
    account = playout()
    account.send("i", audio(200), 0.0)
    account.mark()
    account.echoed("m1", 0.2)
    account.send("j", audio(200), 10.0)
    assert account.heard("j", 10.05).heard_ms == 50


def test_items_may_come_in_turns() -> None:
    """Each one's account is the sum of its stretches."""
    account = playout()
    for key in ("i", "j", "i", None, "j"):
        account.send(key, audio(100), 0.0)
    assert account.heard("i", 0.25) == Heard(200, 150)
    assert account.heard("j", 0.25) == Heard(200, 100)
    account.mark()
    account.echoed("m1", 0.5)
    assert account.played("i")
    assert account.heard("j", 0.5) == Heard(200, 200)


def test_it_knows_when_it_will_be_done() -> None:
    """By the clock, and some time for marks that never come back."""
    account = playout()
    assert account.busy_until(7.0) == 7.0
    account.send("i", audio(1000), 7.0)
    assert account.busy_until(7.0) == 7.0 + 1.0 + 5.0
    assert account.busy_until(20.0) == 20.0


def test_tables_do_not_grow_without_bound() -> None:
    """Marks, stretches and kept audio: a model may send what it likes."""
    account = playout()
    for number in range(3 * SEGMENTS_MAX):
        account.send(f"i{number}", audio(1000), 0.0)
    dropped = Note(NoteName.DROPPED, "caller", 2.0)
    assert account.send("one more", audio(30), 0.0) == [dropped]
    assert account.heard("one more", 0.0) == Heard(0, 0)
    tiny = playout()
    for _ in range(3 * RETAINED_CHUNKS_MAX):
        tiny.send("i", audio(1), 0.0)
    for _ in range(3 * MARKS_MAX):
        tiny.send("i", audio(500), 0.0)
    assert tiny.size() <= RETAINED_CHUNKS_MAX + MARKS_MAX + 2
    names = mark_names(tiny.send("i", audio(500), 0.0))
    tiny.echoed(names[-1], 10_000.0)
    assert tiny.drained
