"""Record Trunkline's own scripts and fillers with espeak-ng. Run by hand; its output is committed.

Needs `espeak-ng` (tried: 1.51), and the simulators' clips (scripts/make_clips.py):

    .venv/bin/python scripts/make_voice.py

Speaks each `LANGUAGE-NAME.txt` in `src/trunkline/pod/voice` into a WAV beside it. The first English
filler is the simulators' own clip, so that a simulated caller understands what bridged a silence.
"""

import asyncio
import sys
from pathlib import Path

from trunkline.adapters.speech import Espeak, installed_espeak
from trunkline.adapters.voice_folder import Recording, note, said, save
from trunkline.sim.speech import recorded
from trunkline.wire.pcm import telephone

FOLDER = Path(__file__).parents[1] / "src" / "trunkline" / "pod" / "voice"
BYTES_MAX = 250_000
WORDS_PER_MINUTE = 175
VOICES = {"en": "en-us+m3", "de": "de+m3", "es": "es+m3", "fr": "fr-fr+m3"}

SIMULATORS = ("en-filler-1", "one moment please", "espeak-ng en-us+m3 230")
"""The name of our clip, the text of theirs, and how they made it."""


async def record(engine: Espeak, name: str, text: str) -> Recording:
    """One text, as its two files will have it."""
    ours, theirs, made_by = SIMULATORS
    if name == ours:
        return Recording(name, text, recorded().clips[theirs], note(text, made_by))
    voice = VOICES[name.partition("-")[0]]
    speech = await engine.speak(text, voice, None)
    audio = telephone(speech.samples, speech.rate)
    return Recording(name, text, audio, note(text, engine.made_by(voice, None)))


async def main() -> None:
    """Record, write, check the size."""
    installed = installed_espeak()
    if installed is None:
        sys.exit("espeak-ng is not installed")
    engine = Espeak(installed.program, WORDS_PER_MINUTE)
    for path in sorted(FOLDER.glob("??-*.txt")):
        clip = await record(engine, path.stem, said(path.read_text()))
        save(FOLDER, clip)
        print(f"{clip.name}: {len(clip.audio) / 8000:.2f} s")
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{size} bytes")
    if size > BYTES_MAX:
        sys.exit(f"larger than {BYTES_MAX} bytes")


if __name__ == "__main__":
    asyncio.run(main())
