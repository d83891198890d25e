"""`trunkline voice render`: the texts that callers hear without a model, made audio beforehand."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop

from trunkline.adapters import speech, voice_folder
from trunkline.adapters.speech import Engine, OpenAi
from trunkline.adapters.voice_folder import Recording
from trunkline.cli.env import EnvFile, read_settings
from trunkline.cli.streams import say
from trunkline.config import file
from trunkline.config.schema import Config
from trunkline.config.settings import Settings
from trunkline.config.spoken import filler_clip, script_clip, spoken
from trunkline.config.values import EXPECTED, LANGUAGE, NAME, SAID_CHARS_MAX
from trunkline.errors import SettingsError, SoundError, TrunklineError
from trunkline.pod.compose_voices import OUR_CLIPS, beside
from trunkline.pod.voices import Voices
from trunkline.wire import g711, pcm

app = typer.Typer(
    name="voice",
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Fallback scripts and fillers, as audio.",
)


class EngineName(StrEnum):
    """What speaks; `auto` is whichever is there."""

    AUTO = "auto"
    OPENAI = "openai"
    ESPEAK = "espeak"


NO_ENGINE: Final = (
    "no speech engine: set TRUNKLINE_SPEECH_API_KEY (or OPENAI_API_KEY) for the OpenAI speech API, "
    "or install espeak-ng"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A clip that shall be there. No voice: the engine's own."""

    name: str
    text: str
    voice: str | None
    language: str | None


Text = Annotated[str | None, typer.Option(help="Make one clip of this text. Needs --name.")]
ClipName = Annotated[str | None, typer.Option(help="What the clip of --text is called.")]
Output = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where clips go. Default: voice, beside trunkline.yaml; a pod reads only that.",
        show_default=False,
    ),
]
Speaks = Annotated[
    EngineName, typer.Option(help="What speaks. auto: the speech API if its key is set.")
]
Voice = Annotated[
    str | None,
    typer.Option(
        help="A voice for all clips, such as marin, or de+f3 of espeak-ng. Default: the agent's; "
        "of espeak-ng, the language's.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        help=f"The speech API's model. Default: {speech.OPENAI_MODEL}.", show_default=False
    ),
]
Language = Annotated[
    str | None,
    typer.Option(help="Such as en or de-CH. Default: the agent's.", show_default=False),
]
Force = Annotated[
    bool, typer.Option("--force", help="Make every clip anew, recordings of yours too.")
]


@app.command()
def render(
    *,
    text: Text = None,
    name: ClipName = None,
    output: Output = None,
    engine: Speaks = EngineName.AUTO,
    voice: Voice = None,
    model: Model = None,
    language: Language = None,
    force: Force = False,
    env_file: EnvFile = None,
) -> None:
    """Make audio of every fallback script and filler in trunkline.yaml.

    A call plays them when its model can't be had, or while something takes long. Each becomes a
    WAV (8 kHz, µ-law) and a .txt with its words in the folder voice beside the file that
    TRUNKLINE_CONFIG names. What is up to date is left alone, so run it after every change of a
    text; a pod says at its start which texts have no audio.

    The OpenAI speech API speaks if its key is set (TRUNKLINE_SPEECH_API_KEY or OPENAI_API_KEY), in
    each agent's voice and Trunkline's own texts too; else espeak-ng does, if it is installed.

    A recording of your own is as good: put NAME.wav and NAME.txt there. docs/howto/voice.md has
    the names, and how to convert one.
    """
    given = read_settings(env_file)
    _check(text, name, language)
    speaks = choose(given, engine, model)
    folder = output or beside(given.config or Path())
    if text is not None and name is not None:
        wanted = [Wanted(name, text, voice, language)]
    else:
        if given.config is None:
            raise SettingsError(
                "TRUNKLINE_CONFIG: not set, and the built-in agent's texts come with their audio; "
                "set it to your trunkline.yaml, or give --text and --name"
            )
        config = file.load(given.config).config
        wanted = list(texts(config, speaks, voice, language))
    uvloop.run(make(wanted, speaks, folder, force=force))


def _check(text: str | None, name: str | None, language: str | None) -> None:
    if (text is None) != (name is None):
        raise SettingsError("--text and --name: expected both, or none of them")
    if text is not None and not 0 < len(voice_folder.said(text)) <= SAID_CHARS_MAX:
        raise SettingsError(f"--text: expected 1 to {SAID_CHARS_MAX} characters")
    if name is not None and not re.fullmatch(NAME, name):
        raise SettingsError(f"--name: expected {EXPECTED[NAME]}")
    if language is not None and not re.fullmatch(LANGUAGE, language):
        raise SettingsError(f"--language: expected {EXPECTED[LANGUAGE]}")


def choose(given: Settings, engine: EngineName, model: str | None) -> Engine:
    """What speaks.

    Raises:
        SettingsError: nothing can, or not what is asked for; with what to set or install.
    """
    key = given.speech_key()
    if engine is not EngineName.ESPEAK and key is not None:
        return OpenAi(given.speech_url, key.get_secret_value(), model or speech.OPENAI_MODEL)
    if engine is EngineName.OPENAI:
        raise SettingsError(
            "--engine openai: no key; set TRUNKLINE_SPEECH_API_KEY to that of TRUNKLINE_SPEECH_URL "
            "(OPENAI_API_KEY is taken where the realtime model is on the same host)"
        )
    espeak = speech.installed_espeak()
    if espeak is None:
        raise SettingsError(
            NO_ENGINE if engine is EngineName.AUTO else "--engine espeak: install espeak-ng"
        )
    if model is not None:
        raise SettingsError("--model: espeak-ng has none; expected --voice")
    return espeak


def texts(
    config: Config, engine: Engine, voice: str | None, language: str | None
) -> Iterator[Wanted]:
    """What a config wants as audio.

    The speech API also speaks our own texts, for agents that have none, so that a caller hears one
    voice; espeak-ng need not: those that come with Trunkline are its.
    """
    natural = isinstance(engine, OpenAi)
    for each in spoken(config):
        own_voice = each.voice if natural else None
        yield Wanted(each.clip, each.text, voice or own_voice, language or each.language)
    if not natural:
        return
    ours = Voices({}, OUR_CLIPS)
    for name, agent in config.agents.items():
        spoken_in = language or agent.language
        if agent.fallback_script is None:
            text = ours.our_script(spoken_in).text
            yield Wanted(script_clip(name), text, voice or agent.voice, spoken_in)
        if not agent.fillers:
            for index, clip in enumerate(ours.our_fillers(spoken_in)):
                yield Wanted(filler_clip(name, index), clip.text, voice or agent.voice, spoken_in)


async def make(wanted: Sequence[Wanted], engine: Engine, folder: Path, *, force: bool) -> None:
    """Make what is not there yet, one after the other, a line for each.

    Raises:
        SoundError: the engine failed; what was made until then stays.
        TrunklineError: a recording of the user's own stands where another text is wanted.
    """
    made, others = 0, []
    for each in wanted:
        path = folder / f"{each.name}.wav"
        text = voice_folder.said(each.text)
        note = voice_folder.note(text, engine.made_by(each.voice, each.language))
        if not force and (standing := _standing(folder, each.name, text, note)) is not None:
            say(f"{path}  {standing}")
            continue
        if not force and not voice_folder.is_free(folder, each.name):
            say(f"{path}  not made: it is yours, and is not what the text says")
            others.append(each.name)
            continue
        audio = await _spoken(each, text, engine)
        voice_folder.save(folder, Recording(each.name, text, audio, note))
        made += 1
        by = engine.made_by(each.voice, each.language)
        say(f"{path}  {len(audio) / g711.SAMPLES_PER_S:.1f} s, {by}")
    left = len(wanted) - made - len(others)
    say(f"{made} made, {left} up to date")
    if others:
        raise TrunklineError(
            f"{', '.join(others)}: not made, since the recording there is yours; record its text "
            "anew and write it into the .txt, or let --force replace it"
        )


def _standing(folder: Path, name: str, text: str, note: str) -> str | None:
    """Why a clip need not be made; None if it must be."""
    try:
        found = voice_folder.load(folder, name)
    except SoundError:
        return None
    if not found.ours and found.text == text:
        return "yours"
    return "up to date" if (found.note, found.text) == (note, text) else None


async def _spoken(wanted: Wanted, text: str, engine: Engine) -> bytes:
    try:
        speech = await engine.speak(text, wanted.voice, wanted.language)
        audio = pcm.telephone(speech.samples, speech.rate)
    except SoundError as error:
        raise SoundError(f"{wanted.name}: {error}") from error
    if len(audio) > voice_folder.CLIP_BYTES_MAX:
        raise SoundError(f"{wanted.name}: longer than {voice_folder.CLIP_S_MAX} s; shorten it")
    return audio
