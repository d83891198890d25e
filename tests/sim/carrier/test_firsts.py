"""The first sounds of a stream: a filler is one, the agent's voice is known by its marks."""

from trunkline.sim.carrier.firsts import FirstSounds
from trunkline.sim.speech import SILENCE, recorded
from trunkline.sim.timemark import mark

WORD = recorded().speak("hello")
LOUD = next(
    WORD[at : at + 160] for at in range(0, len(WORD), 160) if WORD[at : at + 160].count(0xFF) < 20
)
AGENT = mark(1, call=1, seq=0, audio=LOUD)


def test_silence_is_no_sound_and_a_filler_is_not_the_agent() -> None:
    firsts = FirstSounds(marked=True)
    firsts.came(SILENCE, 0, 1.0)
    assert (firsts.sound_at, firsts.is_done) == (None, False)
    firsts.came(SILENCE + LOUD, 0, 2.0)
    assert (firsts.sound_at, firsts.agent_at, firsts.is_done) == (2.02, None, False)
    firsts.came(AGENT, 8000, 3.0)
    assert (firsts.sound_at, firsts.agent_at, firsts.is_done) == (2.02, 4.0, True)


def test_what_was_cleared_before_it_played_was_not_heard() -> None:
    firsts = FirstSounds(marked=True)
    firsts.came(AGENT, 8000, 1.0)
    assert firsts.is_done
    firsts.cleared(1.5)
    assert (firsts.sound_at, firsts.agent_at, firsts.is_done) == (None, None, False)
    firsts.came(AGENT, 0, 2.0)
    firsts.cleared(2.5)
    assert (firsts.sound_at, firsts.agent_at) == (2.0, 2.0)


def test_without_marks_any_sound_is_all_there_is() -> None:
    firsts = FirstSounds(marked=False)
    firsts.came(LOUD, 0, 1.0)
    assert (firsts.sound_at, firsts.agent_at, firsts.is_done) == (1.0, None, True)
