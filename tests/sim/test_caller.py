"""The person on the line, on a clock of frames."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.carrier_bot import ToyVoice
from trunkline.sim.caller import (
    PRESS_MS,
    HangUp,
    HungUp,
    Interrupt,
    Listen,
    Pause,
    Person,
    Press,
    Pressed,
    Say,
    Script,
    Step,
    WaitForHangUp,
)
from trunkline.sim.turns import Kind

VOICE = ToyVoice()
FRAME_S = 0.02


class Phone:
    """Gives the person a frame every 20 ms, and plays to them."""

    def __init__(self, script: Script) -> None:
        self.person = Person(script, VOICE)
        self.frames = 0
        self.said = bytearray()
        self.orders: list[tuple[float, Pressed | HungUp]] = []
        self.person.answered(self.at)
        self.person.line_up(self.at)

    @property
    def at(self) -> float:
        return self.frames * FRAME_S

    def go(self, ms: int, playing: bytes = b"") -> "Phone":
        for _ in range(ms // 20):
            began = self.at
            self.frames += 1
            if playing:
                self.person.hears(playing[:1] * 160, began, self.at)
            self.said += self.person.frame(self.at, 160) or b""
            self.orders += [(self.at, order) for order in self.person.orders]
            self.person.orders.clear()
        if playing:
            self.person.falls_silent(self.at)
        return self


def test_a_person_listens_then_speaks_then_hangs_up() -> None:
    """Words are sent exactly; the end of the script ends the call."""
    phone = Phone([Listen(until_silence_ms=200), Say("hello there")])
    phone.go(100).go(500, b"g").go(180)
    assert phone.said == b""
    phone.go(40)
    assert phone.person.is_speaking
    phone.go(500)
    assert bytes(phone.said) == VOICE.speak("hello there")
    assert [order for _, order in phone.orders] == [HungUp()]
    assert phone.person.has_hung_up


def test_a_person_waits_for_an_answer_but_not_for_ever() -> None:
    """Silence without a reply is waiting; after the limit the script goes on, and says so."""
    phone = Phone([Listen(max_ms=1000), Say("hello"), Listen(max_ms=2000), HangUp()])
    phone.go(900)
    assert phone.said == b""
    phone.go(200)
    assert phone.said != b""
    phone.go(3000)
    greeting, said = phone.person.turns()
    assert greeting.unanswered
    assert said.unanswered
    assert phone.person.has_hung_up


def test_a_person_interrupts_after_so_much_was_heard() -> None:
    """Counted from the first byte of the reply; the turn knows that it cut in."""
    phone = Phone([Interrupt(300, "stop"), HangUp()]).go(200)
    phone.go(280, b"g")
    assert phone.said == b""
    phone = Phone([Interrupt(300, "stop"), WaitForHangUp()]).go(200)
    phone.go(320, b"g").go(400)
    turn = phone.person.turns()[-1]
    assert turn.interrupted
    assert turn.said == "stop"
    assert turn.silence_ms is not None


def test_a_reply_too_short_to_interrupt_is_answered_all_the_same() -> None:
    """A while after its end, and not as an interruption."""
    phone = Phone([Interrupt(5000, "stop"), WaitForHangUp()]).go(400, b"g")
    phone.go(1480)
    assert phone.said == b""
    phone.go(200)
    assert phone.said != b""
    assert not phone.person.turns()[-1].interrupted


def test_keys_come_one_after_another() -> None:
    """Each its own press, so far apart."""
    phone = Phone([Press("4#"), Pause(100), HangUp()]).go(1000)
    assert [order for _, order in phone.orders] == [Pressed("4"), Pressed("#"), HungUp()]
    first, second, _ = (at for at, _ in phone.orders)
    assert (second - first) * 1000 == pytest.approx(PRESS_MS, abs=20)


def test_waiting_for_the_agents_hang_up_ends() -> None:
    """After so long the person puts the phone down themselves."""
    phone = Phone([WaitForHangUp(max_s=1.0)]).go(980)
    assert not phone.person.has_hung_up
    phone.go(40)
    assert phone.person.has_hung_up


def test_nobody_begins_to_speak_into_a_dead_line() -> None:
    """Without a stream the script waits; with the next one it goes on."""
    phone = Phone([Pause(100), Say("hello"), WaitForHangUp()])
    phone.person.line_down(phone.at)
    phone.go(500)
    assert phone.said == b""
    phone.person.line_up(phone.at)
    phone.go(500)
    assert bytes(phone.said) == VOICE.speak("hello")
    assert [turn.kind for turn in phone.person.turns()] == [
        Kind.GREETING,
        Kind.RESUME,
        Kind.SAID,
    ]


def test_what_is_said_into_the_gap_is_lost() -> None:
    """An utterance goes on while no stream carries it: its middle never arrives."""
    phone = Phone([Say("hello there"), WaitForHangUp()]).go(100)
    phone.person.line_down(phone.at)
    phone.frames += 10
    phone.person.line_up(phone.at)
    phone.go(1000)
    whole = VOICE.speak("hello there")
    assert bytes(phone.said) == whole[: 5 * 160] + whole[15 * 160 :]


def test_after_a_lost_stream_the_person_waits_for_a_sound() -> None:
    """The silence of the gap is no reply; the resume's own latency is measured."""
    phone = Phone([Listen(until_silence_ms=100), Say("hello"), WaitForHangUp()]).go(400, b"g")
    phone.person.line_down(phone.at)
    phone.frames += 100
    phone.person.line_up(phone.at)
    phone.go(1000)
    assert phone.said == b""
    phone.go(200, b"r").go(400)
    assert phone.said != b""
    resume = phone.person.turns()[1]
    assert resume.kind is Kind.RESUME
    assert resume.latency_ms == pytest.approx(1000)
    assert resume.reply_at is not None
    assert resume.reply_at - resume.began_at == pytest.approx(3.0)


def test_the_carriers_own_voice_counts_as_a_sound() -> None:
    """A person who hears a hold message does not wait for another greeting."""
    person = Person([Listen(until_silence_ms=100), HangUp()], VOICE)
    person.answered(1.0)
    person.is_told(1.0, 3.0)
    person.advance(3.05)
    assert not person.has_hung_up
    person.advance(3.11)
    assert person.has_hung_up


def test_words_heard_are_the_voices_reading() -> None:
    """Each turn's audio is heard as words, once, and again when more came."""
    phone = Phone([WaitForHangUp()]).go(200, bytes([5])).go(200)
    (turn,) = phone.person.turns()
    assert phone.person.words_heard(turn) == "5"
    phone.go(200, bytes([6]))
    assert phone.person.words_heard(turn) == "5 6"


def test_an_empty_utterance_takes_no_time() -> None:
    """Nothing to say is said at once."""
    phone = Phone([Say(""), HangUp()]).go(40)
    assert phone.person.has_hung_up


def test_a_last_frame_is_filled_with_silence() -> None:
    """Frames of 200 ms carry words of any length."""
    person = Person([Say("hello"), HangUp()], VOICE, frame_ms=120)
    person.answered(0.0)
    person.line_up(0.0)
    frames = [person.frame(0.12 * number, 960) for number in range(1, 4)]
    word = VOICE.speak("hello")
    assert frames[0] == word[:960]
    assert frames[1] == word[960:] + b"\xff" * 320
    assert frames[2] is None


def test_no_word_shows_in_a_persons_repr() -> None:
    """Logs may hold a repr."""
    assert "canary" not in repr(Person([Say("canary")], VOICE))


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Listen, st.integers(0, 400), st.integers(100, 1000)),
    st.builds(Say, st.sampled_from(["", "hello", "hello there"])),
    st.builds(Pause, st.integers(0, 300)),
    st.builds(Interrupt, st.integers(0, 400), st.just("stop"), st.integers(100, 1000)),
    st.builds(Press, st.text("0123456789*#", max_size=3)),
    st.builds(WaitForHangUp, st.floats(0.1, 1.0)),
)


@given(st.lists(STEPS, max_size=8), st.integers(0, 2**32))
def test_every_script_ends_with_exactly_one_hang_up(script: list[Step], seed: int) -> None:
    """Whatever is played, and however often the line goes: the person leaves in the end."""
    phone = Phone(script)
    dice = random.Random(seed)
    for _ in range(40):
        phone.go(dice.randrange(0, 400, 20), dice.choice([b"", b"", b"g"]))
        if dice.random() < 0.2:
            phone.person.line_down(phone.at)
            phone.frames += dice.randrange(50)
            phone.person.line_up(phone.at)
    phone.go(20_000)
    assert [order for _, order in phone.orders].count(HungUp()) == 1
    assert isinstance(phone.orders[-1][1], HungUp)
    for turn in phone.person.turns():
        assert turn.bytes_played == len(turn.played)
