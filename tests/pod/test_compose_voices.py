"""A config, the folder beside it, and the clips that come with Trunkline."""

import base64
import math
from pathlib import Path

import pytest

from trunkline.adapters import voice_folder
from trunkline.adapters.voice_folder import Recording
from trunkline.config import file
from trunkline.pod.compose_voices import OUR_CLIPS, AgentVoices
from trunkline.sim.speech import recorded
from trunkline.wire import g711

CONFIG = """
agents:
  desk:
    instructions: You answer.
    language: de
    fallback_script: Wir sind nicht da.
    fillers: [Gleich., Sofort.]
  sales: {instructions: You sell.}
numbers: {"*": {agent: desk}, "+15550100002": {agent: sales}}
"""
AUDIO = b"\x80" * 1600

LANGUAGES = ("de", "en", "es", "fr")
SET_BYTES_MAX = 250_000


def agents(folder: Path) -> AgentVoices:
    return AgentVoices(file.read(CONFIG.encode(), folder / "trunkline.yaml"))


def save(folder: Path, name: str, text: str) -> None:
    note = voice_folder.note(text, "a voice")
    voice_folder.save(folder / "voice", Recording(name, text, AUDIO, note))


def test_without_audio_of_ones_own_callers_hear_ours(tmp_path: Path) -> None:
    """In the agent's language; each text that has none is told, with the remedy."""
    made = agents(tmp_path)
    assert made.script("desk") == OUR_CLIPS["de-fallback"]
    assert made.fillers("desk") == (OUR_CLIPS["de-filler-1"], OUR_CLIPS["de-filler-2"])
    assert made.script("sales") == OUR_CLIPS["en-fallback"]
    assert made.faults == (
        "agent desk: fallback_script has no audio; run trunkline voice render",
        "agent desk: fillers[0] has no audio; run trunkline voice render",
        "agent desk: fillers[1] has no audio; run trunkline voice render",
    )


def test_ones_own_audio_is_played(tmp_path: Path) -> None:
    """As base64, for the stream; then nothing is left to be told."""
    for name, text in (
        ("desk-fallback", "Wir sind nicht da."),
        ("desk-filler-1", "Gleich."),
        ("desk-filler-2", "Sofort."),
    ):
        save(tmp_path, name, text)
    made = agents(tmp_path)
    assert base64.b64decode(made.script("desk").payload) == AUDIO
    assert [clip.text for clip in made.fillers("desk")] == ["Gleich.", "Sofort."]
    assert made.faults == ()


def test_audio_of_an_older_text_is_told_and_not_played(tmp_path: Path) -> None:
    """Whether the config changed or the text beside the audio."""
    save(tmp_path, "desk-fallback", "Wir sind bald da.")
    save(tmp_path, "desk-filler-1", "Gleich.")
    save(tmp_path, "desk-filler-2", "Sofort.")
    (tmp_path / "voice" / "desk-filler-2.txt").write_text("Irgendwann.")
    made = agents(tmp_path)
    assert made.script("desk") == OUR_CLIPS["de-fallback"]
    assert [clip.text for clip in made.fillers("desk")] == ["Gleich."]
    stale, changed = sorted(made.faults)
    assert "desk-filler-2.txt is not what desk-filler-2.wav says any more" in stale
    assert changed == (
        "agent desk: fallback_script has changed since its audio was made; "
        "run trunkline voice render"
    )


def test_the_built_in_agent_has_its_audio() -> None:
    """Nobody needs to render anything for a first call."""
    made = AgentVoices(file.load(None))
    assert made.faults == ()
    assert made.script(file.BUILT_IN_AGENT) == OUR_CLIPS["en-fallback"]
    assert len(made.fillers(file.BUILT_IN_AGENT)) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_a_script_and_fillers(language: str) -> None:
    """A script of some seconds, and two fillers or more, none longer than two."""
    script = OUR_CLIPS[f"{language}-fallback"]
    fillers = [clip for name, clip in OUR_CLIPS.items() if name.startswith(f"{language}-filler-")]
    assert 3000 < g711.payload_ms(script.payload) < 8000
    assert len(fillers) >= 2
    assert all(400 < g711.payload_ms(clip.payload) < 2000 for clip in fillers)


@pytest.mark.parametrize("name", OUR_CLIPS)
def test_our_clips_are_equally_loud(name: str) -> None:
    """Within a decibel of -22 dBov where there is speech, in whole frames, and not clipped."""
    ulaw = base64.b64decode(OUR_CLIPS[name].payload)
    assert len(ulaw) % 160 == 0
    levels = [g711.rms(ulaw[at : at + 160]) for at in range(0, len(ulaw), 160)]
    speech = [level**2 for level in levels if level > max(levels) / 18]
    assert 10 * math.log10(sum(speech) / len(speech) / 32768**2) == pytest.approx(-22, abs=1)
    assert max(map(abs, g711.decode(ulaw))) < 30_000


def test_our_clips_are_small_and_say_who_speaks() -> None:
    """They come with every installation; a simulated caller understands the first filler."""
    folder = Path(voice_folder.__file__).parents[1] / "pod" / "voice"
    read = voice_folder.read(folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) < SET_BYTES_MAX
    assert {name.partition("-")[0] for name in read.recordings} == set(LANGUAGES)
    assert all("espeak-ng" in each.note for each in read.recordings.values())
    assert read.recordings["en-filler-1"].audio == recorded().clips["one moment please"]
