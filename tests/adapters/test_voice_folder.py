"""Clips in a folder: what says what, what is stale, and whose it is."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from trunkline.adapters import voice_folder
from trunkline.adapters.voice_folder import CLIP_BYTES_MAX, CLIPS_MAX, Recording
from trunkline.errors import SoundError
from trunkline.wire import wav

TEXT = "One moment please."
OURS = Recording("moment", TEXT, b"\x80" * 160, voice_folder.note(TEXT, "espeak-ng en 160"))
MINE = Recording("mine", "I am coming.", b"\x81" * 160)


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    """The folder is made; nothing else is left in it."""
    folder = tmp_path / "new" / "voice"
    voice_folder.save(folder, OURS)
    voice_folder.save(folder, MINE)
    read = voice_folder.read(folder)
    assert read.recordings == {"moment": OURS, "mine": MINE}
    assert not read.faults
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{kind}" for name in ("mine", "moment") for kind in ("txt", "wav")
    }
    assert (OURS.ours, MINE.ours) == (True, False)


def test_a_folder_that_is_not_there_has_no_clips(tmp_path: Path) -> None:
    """That is no fault: nobody has rendered yet."""
    assert voice_folder.read(tmp_path / "none") == voice_folder.Folder({}, {})


def test_line_breaks_are_not_spoken(tmp_path: Path) -> None:
    """A text may be folded as one likes."""
    voice_folder.save(tmp_path, OURS)
    (tmp_path / "moment.txt").write_text("  One\n\tmoment   please.\n\n")
    assert voice_folder.load(tmp_path, "moment") == OURS


def test_a_clip_whose_text_has_changed_is_none(tmp_path: Path) -> None:
    """It would say something else than it is played for."""
    voice_folder.save(tmp_path, OURS)
    (tmp_path / "moment.txt").write_text("Two moments please.")
    with pytest.raises(SoundError, match=r"moment\.txt is not what .*; run trunkline voice render"):
        voice_folder.load(tmp_path, "moment")


def test_killed_between_two_files_no_clip_says_the_wrong_words(tmp_path: Path) -> None:
    """The new sound is there, the old text too: it is told, not played."""
    voice_folder.save(tmp_path, OURS)
    later = replace(OURS, text="Later.", note=voice_folder.note("Later.", "espeak-ng en 160"))
    (tmp_path / "moment.wav").write_bytes(wav.encode(wav.Wav(later.audio, later.note)))
    assert set(voice_folder.read(tmp_path).faults) == {"moment"}
    voice_folder.save(tmp_path, later)
    assert voice_folder.read(tmp_path).recordings == {"moment": later}


@pytest.mark.parametrize(
    ("sound", "words", "told"),
    [
        (b"garbage", b"Hello.", r"bad\.wav: no WAV file"),
        (wav.encode(wav.Wav(b"")), b"Hello.", "not an empty one"),
        (wav.encode(wav.Wav(b"\0" * (CLIP_BYTES_MAX + 1))), b"Hello.", "at most 120 s"),
        (b"\0" * (voice_folder.FILE_BYTES_MAX + 1), b"Hello.", "too large"),
        (wav.encode(wav.Wav(b"\0")), b"", "it is empty"),
        (wav.encode(wav.Wav(b"\0")), b"\xff\xfe", "expected UTF-8"),
        (wav.encode(wav.Wav(b"\0")), b"x" * 20_000, "too large"),
        (wav.encode(wav.Wav(b"\0")), None, r"bad\.txt: missing"),
    ],
)
def test_a_clip_that_can_not_be_used_is_told(
    tmp_path: Path, sound: bytes, words: bytes | None, told: str
) -> None:
    """In a line with the file's name; the others are read."""
    voice_folder.save(tmp_path, MINE)
    (tmp_path / "bad.wav").write_bytes(sound)
    if words is not None:
        (tmp_path / "bad.txt").write_bytes(words)
    read = voice_folder.read(tmp_path)
    assert read.recordings == {"mine": MINE}
    with pytest.raises(SoundError, match=told):
        voice_folder.load(tmp_path, "bad")
    assert "\n" not in read.faults["bad"]


def test_a_pipe_holds_nobody_up(tmp_path: Path) -> None:
    """It is no file, so it is not opened."""
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    assert set(voice_folder.read(tmp_path).faults) == {"pipe", "folder"}


def test_more_clips_than_a_pod_holds_are_not_read(tmp_path: Path) -> None:
    """And that is told, once."""
    content = wav.encode(wav.Wav(b"\x80"))
    for n in range(CLIPS_MAX + 3):
        (tmp_path / f"c{n:04}.wav").write_bytes(content)
        (tmp_path / f"c{n:04}.txt").write_text(f"text {n}")
    read = voice_folder.read(tmp_path)
    assert len(read.recordings) == CLIPS_MAX
    assert list(read.faults) == [""]


def test_more_audio_than_a_pod_holds_is_not_read(tmp_path: Path) -> None:
    """Two hours of it; the clips before are read."""
    longest = wav.encode(wav.Wav(b"\x80" * CLIP_BYTES_MAX))
    count = voice_folder.FOLDER_BYTES_MAX // CLIP_BYTES_MAX + 1
    (tmp_path / "c000.wav").write_bytes(longest)
    (tmp_path / "c000.txt").write_text("text")
    for n in range(1, count + 2):
        (tmp_path / f"c{n:03}.wav").hardlink_to(tmp_path / "c000.wav")
        (tmp_path / f"c{n:03}.txt").write_text("text")
    read = voice_folder.read(tmp_path)
    assert len(read.recordings) == count
    assert read.faults[""].endswith(f"from c{count:03}.wav on nothing is read")


@pytest.mark.parametrize(
    "name", [b".hidden.wav", b"\xff.wav", b"two\nlines.wav", b".wav", b"x.WAV"]
)
def test_names_that_are_no_clips(tmp_path: Path, name: bytes) -> None:
    """They are passed over: a line about them could not be printed."""
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    assert voice_folder.read(tmp_path) == voice_folder.Folder({}, {})


def test_only_what_we_made_may_be_written_over(tmp_path: Path) -> None:
    """A person's recording is theirs, and so is a file that we can't read."""
    voice_folder.save(tmp_path, OURS)
    voice_folder.save(tmp_path, MINE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF of some other kind")
    free = {name: voice_folder.is_free(tmp_path, name) for name in ("moment", "mine", "broken", "")}
    assert free == {"moment": True, "mine": False, "broken": False, "": True}
