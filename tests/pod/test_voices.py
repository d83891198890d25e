"""Which clip is played for which text."""

import pytest

from trunkline.call.plan import Clip
from trunkline.pod.voices import Voices, words

EN, DE = Clip("en-fallback", "AA==", "Sorry."), Clip("de-fallback", "AQ==", "Tut uns leid.")
WAIT, STAY = Clip("en-filler-1", "Ag==", "Wait."), Clip("en-filler-2", "Aw==", "Stay.")
WARTEN = Clip("de-filler-1", "BA==", "Warten.")
OURS = {clip.name: clip for clip in (STAY, WAIT, EN, DE, WARTEN)}

DESK = Clip("desk-fallback", "BQ==", "The desk is away.")
SALES = Clip("sales-fallback", "Bg==", "Sorry.")
SPOKEN = Clip("an-actor", "Bw==", "We are\n away.")
OWN = {clip.name: clip for clip in (SPOKEN, DESK, SALES)}
VOICES = Voices(OWN, OURS)


@pytest.mark.parametrize(
    ("agent", "text", "language", "clip"),
    [
        ("desk", "The desk is away.", "de", DESK),
        ("desk", "The desk  is\naway.", "de", DESK),
        ("desk", "The desk is back.", "de-CH", DE),
        ("desk", "The desk is back.", "it", EN),
        ("desk", "We are away.", None, SPOKEN),
        ("desk", "Warten.", None, WARTEN),
        ("other", None, None, SALES),
        ("sales", None, "en-GB", SALES),
        ("other", None, "de", DE),
    ],
    ids=[
        "its own clip",
        "folded otherwise",
        "stale: ours in its language",
        "stale: ours in English",
        "any clip that says it",
        "one of ours that says it",
        "ours, in a voice of the user's",
        "ours, in its own voice",
        "ours",
    ],
)
def test_a_script_says_what_the_config_says(
    agent: str, text: str | None, language: str | None, clip: Clip
) -> None:
    """Or what ours says; never an older text of the user's."""
    assert VOICES.script(f"{agent}-fallback", text, language) == clip


def test_fillers_that_have_audio_are_played_in_their_order() -> None:
    """One that has none is left out; with none at all it is ours, in the agent's language."""
    own = {
        "a-filler-2": Clip("a-filler-2", "", "Two."),
        "a-filler-3": Clip("a-filler-3", "", "Old."),
    }
    voices = Voices(own, OURS)
    names = [f"a-filler-{n}" for n in range(1, 9)]
    assert voices.fillers(names, ["One.", "Two.", "Three."], None) == (own["a-filler-2"],)
    assert voices.fillers(names, ["One."], "de") == (WARTEN,)
    assert voices.fillers(names, [], "en") == (WAIT, STAY)


def test_our_own_fillers_may_have_a_voice_of_the_users() -> None:
    """Then callers hear one voice all along."""
    own = Clip("a-filler-1", "CA==", "Wait.")
    voices = Voices({own.name: own}, OURS)
    assert voices.fillers(["a-filler-1", "a-filler-2"], [], None) == (own, STAY)


def test_words_are_compared_and_nothing_else() -> None:
    """Case and signs are heard; line breaks are not."""
    assert words(SPOKEN.text) == words("We are away.")
    assert words(SPOKEN.text) != words("We are away!")
