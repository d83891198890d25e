"""Engines that speak a text: the OpenAI speech API, and espeak-ng on this machine.

Neither is asked during a call: clips are made beforehand, by `trunkline voice render`.
"""

import asyncio
import re
import shutil
import sys
import tempfile
import wave
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec

from trunkline.errors import SoundError

ANSWER_S_MAX: Final = 60.0
"""So long an engine may take for one text; then it has failed."""
SPEECH_S_MAX: Final = 180
"""Longer speech is refused while it arrives: no clip may be so long."""
ERROR_BYTES_MAX: Final = 16 * 1024
"""So much of a refusal is read."""

OPENAI_RATE: Final = 24_000
"""Samples a second of `pcm`, which has no header to say it."""
OPENAI_MODEL: Final = "gpt-4o-mini-tts"

ESPEAK: Final = "espeak-ng"
ESPEAK_WORDS_PER_MINUTE: Final = 160
LANGUAGE: Final = "en"
"""Of texts whose agent names none."""


@dataclass(frozen=True, slots=True)
class Speech:
    """16-bit samples, and how many of them are a second."""

    samples: "array[int]"
    rate: int


class Engine(Protocol):
    """What speaks."""

    def made_by(self, voice: str | None, language: str | None) -> str:
        """How a clip is made, in a line: another line, another sound."""

    async def speak(self, text: str, voice: str | None, language: str | None) -> Speech:
        """The text, spoken.

        Raises:
            SoundError: the engine failed or refused, with the remedy where we know one.
        """


@dataclass(frozen=True, slots=True)
class OpenAi:
    """The speech API of OpenAI, or of another provider who has the same."""

    url: str
    key: str = field(repr=False)
    model: str = OPENAI_MODEL
    default_voice: str = "marin"

    def made_by(self, voice: str | None, language: str | None) -> str:
        """The language is that of the text: the API asks for none."""
        del language
        return f"{self.model} {voice or self.default_voice}"

    async def speak(self, text: str, voice: str | None, language: str | None) -> Speech:
        """One request; a refusal is not tried again: clips that are made stay made."""
        del language
        order = {
            "model": self.model,
            "input": text,
            "voice": voice or self.default_voice,
            "response_format": "pcm",
        }
        timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        headers = {"Authorization": f"Bearer {self.key}"}
        host = urlsplit(self.url).netloc
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as client,
                client.post(self.url, json=order, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status != 200:  # noqa: PLR2004 - HTTP's
                    raise SoundError(f"{host} {await _refusal(answer)}")
                return _samples(await _audio(answer, host), host)
        except TimeoutError:
            raise SoundError(f"{host} did not answer within {ANSWER_S_MAX:g} s") from None
        except aiohttp.ClientError as error:
            raise SoundError(
                f"{host} can't be reached ({type(error).__name__}); see TRUNKLINE_SPEECH_URL"
            ) from None


async def _audio(answer: aiohttp.ClientResponse, host: str) -> bytes:
    content = bytearray()
    async for part in answer.content.iter_any():
        content += part
        if len(content) > SPEECH_S_MAX * OPENAI_RATE * 2:
            raise SoundError(f"{host} sent more than {SPEECH_S_MAX} s of speech; shorten the text")
    return bytes(content)


def _samples(content: bytes, host: str) -> Speech:
    named = content[:4] in {b"RIFF", b"OggS", b"fLaC"} or content[:3] == b"ID3"
    if named or not content or len(content) % 2:
        raise SoundError(f"{host} sent no 16-bit PCM (response_format pcm), or half of it")
    samples = array("h", content)
    if sys.byteorder == "big":
        samples.byteswap()
    return Speech(samples, OPENAI_RATE)


_REMEDIES: Final = {
    400: "another --voice or --model may be right",
    401: "see TRUNKLINE_SPEECH_API_KEY",
    403: "see TRUNKLINE_SPEECH_API_KEY",
    404: "see --model and TRUNKLINE_SPEECH_URL",
    410: "see --model and TRUNKLINE_SPEECH_URL",
    429: "wait, or look at the account's quota, and run it again",
}


async def _refusal(answer: aiohttp.ClientResponse) -> str:
    """Status, error code and remedy. The error's text is left out: it may quote the key."""
    text = f"refused with HTTP {answer.status}"
    try:
        told = msgspec.json.decode(await answer.content.read(ERROR_BYTES_MAX), type=_Refused)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        told = _Refused()
    code = told.error.code
    if code is not None and re.fullmatch(r"[a-z_]{1,64}", code):
        text += f" ({code})"
    return f"{text}; {_REMEDIES.get(answer.status, 'run it again later')}"


class _Error(msgspec.Struct, frozen=True):
    code: str | None = None


class _Refused(msgspec.Struct, frozen=True):
    error: _Error = _Error()


@dataclass(frozen=True, slots=True)
class Espeak:
    """espeak-ng, a program: no key, no network, and a machine's voice in a hundred languages."""

    program: str
    words_per_minute: int = ESPEAK_WORDS_PER_MINUTE

    def made_by(self, voice: str | None, language: str | None) -> str:
        """Its voices are languages, with a variant if one is wished for (`de+f3`)."""
        return f"{ESPEAK} {voice or _espeak_voice(language)} {self.words_per_minute}"

    async def speak(self, text: str, voice: str | None, language: str | None) -> Speech:
        """The text goes in by a pipe, so that none is an option; the sound comes as a file."""
        with tempfile.TemporaryDirectory(prefix="trunkline-voice-") as folder:
            path = Path(folder) / "speech.wav"
            command = [
                self.program, "-v", voice or _espeak_voice(language),
                "-s", str(self.words_per_minute), "-b", "1", "--stdin", "-w", str(path),
            ]  # fmt: skip
            refused = await _run(command, text.encode())
            if refused is not None or not path.is_file():
                why = refused or "it wrote no sound"
                raise SoundError(f"{ESPEAK} failed: {why} (voices: {ESPEAK} --voices)")
            return _of_file(path)


def _espeak_voice(language: str | None) -> str:
    """By the language's name; of English the American kind, as most numbers of ours."""
    voice = (language or LANGUAGE).lower()
    return "en-us" if voice == "en" else voice


async def _run(command: list[str], given: bytes) -> str | None:
    """Run a program; its complaint in a line if it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            _, complaint = await process.communicate(given)
    except TimeoutError:
        return f"no sound within {ANSWER_S_MAX:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return None
    lines = complaint.decode(errors="replace").strip().splitlines()
    shown = "".join(sign for sign in (lines or [""])[-1][:200] if sign.isprintable())
    return shown or f"exit code {process.returncode}"


def _of_file(path: Path) -> Speech:
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth())
            samples = array("h", file.readframes(SPEECH_S_MAX * file.getframerate()))
            rate = file.getframerate()
    except (wave.Error, EOFError, ValueError):
        raise SoundError(f"{ESPEAK} wrote no sound") from None
    if shape != (1, 2):
        raise SoundError(f"{ESPEAK} wrote no 16-bit sound of one channel")
    if sys.byteorder == "big":
        samples.byteswap()
    return Speech(samples, rate)


def installed_espeak() -> Espeak | None:
    """espeak-ng, if it is on the PATH."""
    program = shutil.which(ESPEAK)
    return None if program is None else Espeak(program)
