"""A folder of clips: `NAME.wav`, and beside it `NAME.txt` with the words that are spoken in it.

Whoever plays a clip wants certain words. So a clip whose text has changed since it was made is no
clip any more; it is told instead. A person's own recording needs no more than these two files.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from trunkline.errors import SoundError
from trunkline.wire import g711, wav

CLIPS_MAX: Final = 500
"""So many clips are read, in the order of their names; that there are more is told."""
CLIP_S_MAX: Final = 120
"""A longer clip is refused: nobody listens for so long, and each is held in memory."""
FOLDER_BYTES_MAX: Final = 64 * 1024 * 1024
"""So much audio is read of all clips together, two hours; that there is more is told."""
CLIP_BYTES_MAX: Final = CLIP_S_MAX * g711.SAMPLES_PER_S
FILE_BYTES_MAX: Final = CLIP_BYTES_MAX + 64 * 1024
"""A larger file is refused unread; what a WAV holds beside its audio has its place in it."""
TEXT_BYTES_MAX: Final = 16 * 1024
"""A larger file is no text that is read out within `CLIP_S_MAX`: refused unread."""
ENTRIES_MAX: Final = 10_000
"""Names that are looked at in a folder; the rest is not looked for."""

REMEDY: Final = "run trunkline voice render"

_MADE: Final = "trunkline voice render"
"""How the note of a clip begins that we made; any other clip is a person's own."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip by the name of its files: what it says, µ-law, and how it was made."""

    name: str
    text: str
    audio: bytes
    note: str = ""

    @property
    def ours(self) -> bool:
        """Whether `trunkline voice render` made it; else it is a person's own."""
        return self.note.startswith(_MADE)


@dataclass(frozen=True, slots=True)
class Folder:
    """The clips by name, and a line for each that can't be used, with its remedy."""

    recordings: Mapping[str, Recording]
    faults: Mapping[str, str]


def said(text: str) -> str:
    """What of a text is spoken: line breaks and indents are not."""
    return " ".join(text.split())


def note(text: str, made_by: str) -> str:
    """The note of a clip that we make: by whom, in which voice, and of which text."""
    digest = hashlib.sha256(said(text).encode()).hexdigest()
    return f"{_MADE}: {made_by}, text {digest}"


def read(folder: Path) -> Folder:
    """Every clip of a folder; of one that is not there, none. Nothing in it raises."""
    recordings: dict[str, Recording] = {}
    faults: dict[str, str] = {}
    try:
        names = _names(folder)
    except SoundError as error:
        return Folder({}, {"": str(error)})
    audio_bytes = 0
    for index, name in enumerate(names):
        if index == CLIPS_MAX or audio_bytes > FOLDER_BYTES_MAX:
            most = f"{CLIPS_MAX} clips or {FOLDER_BYTES_MAX >> 20} MiB"
            faults[""] = f"{folder}: more than {most}; from {name}.wav on nothing is read"
            break
        try:
            recordings[name] = load(folder, name)
        except SoundError as error:
            faults[name] = str(error)
        else:
            audio_bytes += len(recordings[name].audio)
    return Folder(recordings, faults)


def load(folder: Path, name: str) -> Recording:
    """One clip.

    Raises:
        SoundError: one of its files can't be read, or they do not belong together.
    """
    sound, words = _paths(folder, name)
    content = _content(sound, FILE_BYTES_MAX)
    try:
        clip = wav.decode(content)
    except SoundError as error:
        raise SoundError(f"{sound}: {error}") from error
    if not 0 < len(clip.audio) <= CLIP_BYTES_MAX:
        raise SoundError(
            f"{sound}: expected a clip of at most {CLIP_S_MAX} s, and not an empty one"
        )
    try:
        text = said(_content(words, TEXT_BYTES_MAX).decode())
    except UnicodeDecodeError:
        raise SoundError(f"{words}: expected UTF-8 text") from None
    found = Recording(name, text, clip.audio, clip.note)
    if not text:
        raise SoundError(f"{words}: expected the words that {sound.name} says, and it is empty")
    if found.ours and not found.note.endswith(note(text, "").rpartition(" ")[2]):
        raise SoundError(f"{words} is not what {sound.name} says any more; {REMEDY}")
    return found


def save(folder: Path, recording: Recording) -> None:
    """Write a clip's two files, each whole or not at all; the folder is made if it is not there."""
    sound, words = _paths(folder, recording.name)
    folder.mkdir(parents=True, exist_ok=True)
    # Killed between the two, the note tells that the old text is not this clip's.
    _replace(sound, wav.encode(wav.Wav(recording.audio, recording.note)))
    _replace(words, (recording.text + "\n").encode())


def is_free(folder: Path, name: str) -> bool:
    """Whether `save` would write over nothing but what we made: nobody's recording is lost."""
    sound, _ = _paths(folder, name)
    if not sound.exists():
        return True
    try:
        return wav.decode(_content(sound, FILE_BYTES_MAX)).note.startswith(_MADE)
    except SoundError:
        return False


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.wav", folder / f"{name}.txt"


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            # A name that can't be printed can't be told either.
            shown = (entry.name for entry in islice(entries, ENTRIES_MAX))
            found = [Path(name) for name in shown if name.isprintable()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SoundError(f"{folder}: cannot be read ({error.strerror})") from None
    return sorted(path.stem for path in found if path.suffix == ".wav" and path.stem[0] != ".")


def _content(path: Path, bytes_max: int) -> bytes:
    try:
        if not path.is_file():  # A pipe would never end.
            raise SoundError(f"{path}: missing; a clip is a .wav and a .txt with its words")
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise SoundError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > bytes_max:
        raise SoundError(f"{path}: larger than {bytes_max} bytes, too large for a clip")
    return content


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.new")
    partial.write_bytes(content)
    partial.replace(path)
