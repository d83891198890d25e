import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import SoundError
from trunkline.wire import wav
from trunkline.wire.wav import Wav

SOUND = bytes(range(255))
"""Of odd length, so that its chunk is padded."""
NOTES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=100)

FORMAT = struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


@given(audio=st.binary(max_size=400), note=NOTES)
def test_what_is_written_is_read(audio: bytes, note: str) -> None:
    """Any audio, of odd length too, and any note."""
    assert wav.decode(wav.encode(Wav(audio, note))) == Wav(audio, note)


def test_a_file_is_laid_out_as_others_expect() -> None:
    """Byte for byte what sox writes for the same two samples, its head of 58 bytes."""
    assert wav.encode(Wav(b"\xff\x7e")) == (
        b"RIFF\x34\0\0\0WAVE"
        b"fmt \x12\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0\0\0"
        b"fact\x04\0\0\0\x02\0\0\0"
        b"data\x02\0\0\0\xff\x7e"
    )


@pytest.mark.parametrize(
    "content",
    [
        riff(chunk(b"fmt ", FORMAT), chunk(b"data", SOUND)),
        riff(chunk(b"fmt ", FORMAT + b"\0\0"), chunk(b"data", SOUND)),
        riff(chunk(b"fmt ", FORMAT), chunk(b"data", SOUND), chunk(b"LIST", b"INFOICMT")),
        riff(chunk(b"data", SOUND), chunk(b"fmt ", FORMAT)),
        riff(chunk(b"odd ", b"123"), chunk(b"fmt ", FORMAT), chunk(b"data", SOUND)),
        riff(chunk(b"fmt ", FORMAT), chunk(b"data", SOUND)) + b"a tag behind the end",
        riff(chunk(b"fmt ", FORMAT), chunk(b"LIST", b"adtl"), chunk(b"data", SOUND)),
    ],
    ids=["no fact", "longer fmt", "broken remarks", "order", "odd chunk", "a tag", "labels"],
)
def test_files_of_other_programs_are_read(content: bytes) -> None:
    """Chunks that are not ours are skipped, wherever they stand."""
    assert wav.decode(content) == Wav(SOUND)


@pytest.mark.parametrize(
    ("remarks", "note"),
    [
        (chunk(b"INAM", b"A take\0") + chunk(b"ICMT", b"by hand\0"), "by hand"),
        (chunk(b"INAM", b"A take\0"), ""),
        (chunk(b"ICMT", b"\xff" * 2000), "\ufffd" * wav.NOTE_BYTES_MAX),
    ],
    ids=["among others", "none", "no text, and long"],
)
def test_the_note_is_the_files_comment(remarks: bytes, note: str) -> None:
    """Other remarks are somebody else's; whatever it is, it is text and has a bound."""
    said = chunk(b"LIST", b"INFO" + remarks)
    content = riff(chunk(b"fmt ", FORMAT), said, chunk(b"data", SOUND))
    assert wav.decode(content) == Wav(SOUND, note)


def test_the_padding_of_the_last_chunk_may_be_missing() -> None:
    """Some programs leave it out at the end of a file, and do not count it."""
    padded = riff(chunk(b"fmt ", FORMAT), chunk(b"data", SOUND))
    bare = b"RIFF" + struct.pack("<I", len(padded) - 9) + padded[8:-1]
    assert wav.decode(bare).audio == SOUND


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no WAV file"),
        (b"ID3\x04", "no WAV file"),
        (b"RIFX" + wav.encode(Wav(SOUND))[4:], "no WAV file"),
        (wav.encode(Wav(SOUND))[:-10], "cut off: its head says"),
        (b"RIFF\xff\xff\xff\xffWAVE", "cut off"),
        (riff(chunk(b"data", SOUND)), "no chunk 'fmt'"),
        (riff(chunk(b"fmt ", FORMAT[:15]), chunk(b"data", SOUND)), "no chunk 'fmt'"),
        (riff(chunk(b"fmt ", FORMAT)), "no chunk 'data'"),
        (riff(chunk(b"fmt ", FORMAT), b"data\xff\xff\xff\xff" + SOUND), "'data' is cut off"),
        (riff(chunk(b"fmt ", FORMAT), b"data"), "in the head of a chunk"),
        (riff(*2 * [chunk(b"fmt ", FORMAT)], chunk(b"data", SOUND)), "two chunks 'fmt'"),
        (
            riff(chunk(b"fmt ", FORMAT), chunk(b"fact", b"\1\0\0\0"), chunk(b"data", SOUND)),
            "does not say 255 samples",
        ),
        (
            riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16))),
            "not format 1, channels: 2, 44100 Hz",
        ),
        (riff(b"\xff\n\0x\xff\xff\xff\x7f"), r"chunk '\\xff\n\x00x' is cut off"),
    ],
)
def test_a_file_that_is_no_clip_is_refused(content: bytes, told: str) -> None:
    """In one line that says what is wrong: half a clip is not played."""
    with pytest.raises(SoundError) as refused:
        wav.decode(content)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(riff))
def test_garbage_raises_one_error(content: bytes) -> None:
    """And no other."""
    try:
        wav.decode(content)
    except SoundError:
        return


@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    """One byte changed, or cut off anywhere: the audio is never longer than what is there."""
    whole = bytearray(wav.encode(Wav(SOUND, "made by us")))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    content = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = wav.decode(content)
    except SoundError:
        return
    assert len(found.audio) <= len(content)
