"""Record the simulators' vocabulary with espeak-ng. Run by hand; its output is committed.

Needs `espeak-ng` and `sox` (tried: espeak-ng 1.51, SoX 14.4.2):

    .venv/bin/python scripts/make_clips.py

Writes `src/trunkline/sim/clips/words.ulaw` and `index.json`. Every frame of 20 ms is made
unique by the second lowest bit of a few samples, silent ones inside a word too, so that each
frame says which word it is of, and where in it, also where a mark of time has the lowest bits.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from trunkline.sim.timemark import BARE

FRAME_BYTES = 160
VOICE = "en-us+m3"
WORDS_PER_MINUTE = 230
CLIPS = Path(__file__).parents[1] / "src" / "trunkline" / "sim" / "clips"
EDGE_LEVEL = 700
"""16-bit amplitude below which a frame at a clip's edge is cut off as silence."""
PACKED_BYTES_MAX = 400_000
CHANGED_BYTES = 24
"""So many samples of a frame may be changed to make it unique."""

NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve
twenty thirty forty fifty sixty seventy eighty ninety hundred
"""
WORDS = """
caller hello goodbye yes no please tomorrow today wait stop sorry and for the you is at
i a an it we are your my to in me book order appointment appointments prices stock billing
sales reception transfer price dollars doctor clinic help about repeat again nothing
confirmed booked found done left open monday friday from with line bad interrupted
tell story everything number agent account cancel change
am this good welcome speaking what do can have need want name still there here hold on
"""
PHRASES = """
this is caller|good morning|thank you|thank you for calling|one moment please
are you still there|how can i help you|i heard|i would like to|what are your|is it in stock
transfer me to|you are booked|it is in stock|the price is|i am connecting you
i did not understand|is there anything else|can you repeat that|where were we
"""


def vocabulary() -> list[str]:
    """Every text that has a clip, phrases last."""
    phrases = [part.strip() for line in PHRASES.strip().splitlines() for part in line.split("|")]
    return NUMBERS.split() + WORDS.split() + phrases


def spoken(text: str) -> bytes:
    """A text as µ-law at 8 kHz, as espeak-ng speaks it."""
    wave = subprocess.run(
        ["espeak-ng", "-v", VOICE, "-s", str(WORDS_PER_MINUTE), "-z", "--stdout", text],
        check=True,
        capture_output=True,
    ).stdout
    shape = ["-t", "raw", "-e", "mu-law", "-b", "8", "-c", "1", "-r", "8000", "-"]
    command = ["sox", "-D", "-t", "wav", "-", *shape, "norm", "-3"]
    # sox warns that a streamed WAV has no length: expected.
    return subprocess.run(command, check=True, capture_output=True, input=wave).stdout


def level(code: int) -> int:
    """The 16-bit amplitude of one µ-law code."""
    code = ~code & 0xFF
    return (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84


def frames_of(ulaw: bytes) -> list[bytes]:
    """A clip as whole frames, without the silence at its edges."""
    padded = ulaw + b"\xff" * (-len(ulaw) % FRAME_BYTES)
    frames = [padded[at : at + FRAME_BYTES] for at in range(0, len(padded), FRAME_BYTES)]
    loud = [n for n, frame in enumerate(frames) if max(map(level, frame)) >= EDGE_LEVEL]
    return frames[loud[0] : loud[-1] + 1]


def unique(frame: bytes, taken: set[bytes], name: str) -> bytes:
    """The frame with as many bits changed as make it unlike every other, but for lowest bits."""
    attempt = 0
    result = frame
    while result.translate(BARE) in taken:
        mask = hashlib.shake_128(f"{name}.{attempt}".encode()).digest(CHANGED_BYTES)
        # Around µ-law zero (0xFF, 0x7F) it is 16 of 32768: not audible.
        changed = bytes(code ^ (bits & 2) for code, bits in zip(frame, mask, strict=False))
        result = changed + frame[CHANGED_BYTES:]
        attempt += 1
    taken.add(result.translate(BARE))
    return result


def record(texts: Iterable[str]) -> tuple[bytes, dict[str, list[int]]]:
    """All clips in one stretch, and where each lies: text to [first frame, frames]."""
    # Plain silence is no word's.
    taken = {bytes([code]) * FRAME_BYTES for code in (0xFF, 0x7F)}
    packed = bytearray()
    index: dict[str, list[int]] = {}
    for text in texts:
        frames = frames_of(spoken(text))
        index[text] = [len(packed) // FRAME_BYTES, len(frames)]
        for number, frame in enumerate(frames):
            packed += unique(frame, taken, f"{text}.{number}")
    return bytes(packed), index


def main() -> None:
    """Record, check the size, write."""
    texts = vocabulary()
    assert len(texts) == len(set(texts)), "a text stands twice"
    packed, index = record(texts)
    seconds = len(packed) / 8000
    print(f"{len(index)} clips, {len(packed)} bytes, {seconds:.1f} s")
    if len(packed) > PACKED_BYTES_MAX:
        sys.exit(f"larger than {PACKED_BYTES_MAX} bytes")
    (CLIPS / "words.ulaw").write_bytes(packed)
    lines = ",\n".join(f"  {json.dumps(text)}: {json.dumps(at)}" for text, at in index.items())
    (CLIPS / "index.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
