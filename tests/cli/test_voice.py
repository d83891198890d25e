"""`trunkline voice render`, from texts to files that a pod plays."""

import asyncio
import os
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from adapters.tiny_speech import KEY, TinySpeech, hum, speaking
from trunkline.adapters import voice_folder
from trunkline.adapters.speech import Engine, Espeak, OpenAi, Speech
from trunkline.adapters.voice_folder import Recording
from trunkline.cli.app import app
from trunkline.cli.voice import EngineName, Wanted, choose, make, texts
from trunkline.config import file, settings
from trunkline.errors import SettingsError, SoundError, TrunklineError
from trunkline.pod.compose_voices import OUR_CLIPS, AgentVoices

CONFIG: Final = """
agents:
  desk:
    instructions: You answer.
    voice: cedar
    fallback_script: >-
      The desk
      is away.
    fillers: [Just a second., Looking it up.]
  sales: {instructions: You sell., language: de-CH}
numbers: {"*": {agent: desk}, "+15550100002": {agent: sales}}
"""
BOTH: Final = [
    Wanted("desk-fallback", "The desk is away.", None, "en"),
    Wanted("desk-filler-1", "Just a second.", None, "en"),
]


class Hummer:
    """An engine that hums, and counts what it was asked for."""

    def __init__(self, pitch: str = "low") -> None:
        self.pitch = pitch
        self.asked: list[str] = []

    def made_by(self, voice: str | None, language: str | None) -> str:
        return f"hummer {self.pitch} {voice} {language}"

    async def speak(self, text: str, voice: str | None, language: str | None) -> Speech:
        del voice, language
        if text == "fail":
            raise SoundError("out of breath")
        self.asked.append(text)
        if text == "silence":
            return Speech(array("h", [0] * 8000), 8000)
        return Speech(hum("x" * 6200 if text == "long" else text, 8000), 8000)


async def run(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """The command as a user gives it, in a folder of theirs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "trunkline.cli.main", "voice", "render", *arguments,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "COLUMNS": "80", **(environ or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def invoke(folder: Path, *arguments: str, **environ: str) -> None:
    """The command in this process, its error as it is raised."""
    command = ["voice", "render", *arguments, "--env-file", os.devnull]
    CliRunner().invoke(app, command, env={"HOME": str(folder), **environ}, catch_exceptions=False)


def at(api: TinySpeech) -> dict[str, str]:
    return {
        "TRUNKLINE_CONFIG": "trunkline.yaml",
        "TRUNKLINE_SPEECH_URL": api.url,
        "TRUNKLINE_SPEECH_API_KEY": KEY,
    }


@pytest.mark.anyio
async def test_the_speech_api_makes_all_that_callers_hear(tmp_path: Path) -> None:
    """In each agent's voice, our own texts too; a second run asks for nothing."""
    (tmp_path / "trunkline.yaml").write_text(
        CONFIG.replace("language: de", "voice: coral, language: de")
    )
    async with speaking() as api:
        code, out, err = await run(tmp_path, environ=at(api))
        assert (code, err) == (0, "")
        assert out.splitlines()[-1] == "6 made, 0 up to date"
        assert [(order["voice"], order["input"]) for order in api.orders[:4]] == [
            ("cedar", "The desk is away."),
            ("cedar", "Just a second."),
            ("cedar", "Looking it up."),
            ("coral", OUR_CLIPS["de-fallback"].text),
        ]
        assert {order["voice"] for order in api.orders[3:]} == {"coral"}
        again = await run(tmp_path, environ=at(api))
    assert again[1].splitlines()[-1] == "0 made, 6 up to date"
    assert len(api.orders) == 6
    assert KEY not in out + again[1]
    made = AgentVoices(file.load(tmp_path / "trunkline.yaml"))
    assert made.faults == ()
    assert made.script("desk").text == "The desk is away."
    assert made.script("sales").name == "sales-fallback"
    assert [clip.name for clip in made.fillers("sales")] == ["sales-filler-1", "sales-filler-2"]


@pytest.mark.anyio
async def test_a_refusal_is_one_line_and_keeps_what_was_made(tmp_path: Path) -> None:
    """Exit code 1, the clip and the remedy are named, the key is not."""
    (tmp_path / "trunkline.yaml").write_text(CONFIG)
    async with speaking() as api:
        code, out, err = await run(tmp_path, "--voice", "nobody", environ=at(api))
    assert code == 1
    assert err.startswith("trunkline: desk-fallback: 127.0.0.1:")
    assert err.endswith("HTTP 400 (invalid_voice); another --voice or --model may be right\n")
    assert KEY not in out + err
    assert not (tmp_path / "voice").exists()


@pytest.mark.anyio
async def test_one_text_can_be_made_alone(tmp_path: Path) -> None:
    """Where one likes; no config is needed."""
    async with speaking() as api:
        code, out, _ = await run(
            tmp_path, "--text", "Bon  jour", "--name", "hello", "--output", "here",
            "--voice", "alloy", "--model", "tts-1",
            environ=at(api) | {"TRUNKLINE_CONFIG": ""},
        )  # fmt: skip
    assert code == 0
    assert out == "here/hello.wav  0.3 s, tts-1 alloy\n1 made, 0 up to date\n"
    assert voice_folder.load(tmp_path / "here", "hello").text == "Bon jour"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--text", "Hello"], "--text and --name: expected both"),
        (["--text", " ", "--name", "x"], "--text: expected 1 to 2000 characters"),
        (["--text", "Hello", "--name", "../x"], "--name: expected a name of"),
        (["--language", "deutsch"], "--language: expected a language"),
        (["--engine", "openai"], "--engine openai: no key; set TRUNKLINE_SPEECH_API_KEY"),
        ([], "no speech engine: set TRUNKLINE_SPEECH_API_KEY (or OPENAI_API_KEY)"),
        (["--engine", "espeak"], "--engine espeak: install espeak-ng"),
    ],
)
def test_what_is_missing_is_one_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    """Exit code 2, as of every wrong setting or option."""
    with pytest.raises(SettingsError) as refused:
        invoke(tmp_path, *arguments, PATH=str(tmp_path))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_built_in_agent_needs_nothing(tmp_path: Path) -> None:
    """Its texts come with their audio; that is said, not done again."""
    with pytest.raises(
        SettingsError, match=r"^TRUNKLINE_CONFIG: not set, and the built-in agent's"
    ):
        invoke(tmp_path, OPENAI_API_KEY=KEY)


@pytest.mark.anyio
async def test_only_what_has_changed_is_made(tmp_path: Path) -> None:
    """Another text, another voice, another engine; or all of it, by force."""
    engine: Hummer = Hummer()
    await make(BOTH, engine, tmp_path, force=False)
    await make(BOTH, engine, tmp_path, force=False)
    assert engine.asked == ["The desk is away.", "Just a second."]
    changed = [Wanted("desk-fallback", "The desk is back.", None, "en"), BOTH[1]]
    await make(changed, engine, tmp_path, force=False)
    assert engine.asked[2:] == ["The desk is back."]
    other = Hummer("high")
    await make(changed, other, tmp_path, force=False)
    await make(changed[:1], other, tmp_path, force=True)
    assert other.asked == ["The desk is back.", "Just a second.", "The desk is back."]


@pytest.mark.anyio
async def test_a_recording_of_ones_own_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If it says the text, well; if not, that is told and the others are made all the same."""
    voice_folder.save(tmp_path, Recording("desk-fallback", "The desk is away.", b"\x80" * 160))
    engine = Hummer()
    await make(BOTH, engine, tmp_path, force=False)
    assert engine.asked == ["Just a second."]
    assert "desk-fallback.wav  yours\n" in capsys.readouterr().out
    (tmp_path / "desk-fallback.txt").write_text("Something else.")
    with pytest.raises(TrunklineError, match=r"^desk-fallback: not made, since"):
        await make(BOTH, engine, tmp_path, force=False)
    assert voice_folder.load(tmp_path, "desk-fallback").audio == b"\x80" * 160
    await make(BOTH, engine, tmp_path, force=True)
    assert voice_folder.load(tmp_path, "desk-fallback").ours


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fail", "x: out of breath"),
        ("silence", "x: nothing but silence"),
        ("long", "x: longer than 120 s"),
    ],
)
async def test_what_can_not_be_played_is_not_kept(tmp_path: Path, text: str, told: str) -> None:
    """The clip is named; those before it stay."""
    wanted = [Wanted("before", "Hello.", None, None), Wanted("x", text, None, None)]
    with pytest.raises(SoundError, match=told):
        await make(wanted, Hummer(), tmp_path, force=False)
    assert set(voice_folder.read(tmp_path).recordings) == {"before"}


def test_espeak_speaks_only_what_the_file_says() -> None:
    """In voices of its own: those of agents are another engine's, and ours come with Trunkline."""
    config = file.read(CONFIG.encode(), Path("trunkline.yaml")).config
    engine: Engine = Espeak("espeak-ng")
    found = list(texts(config, engine, None, None))
    assert [each.name for each in found] == ["desk-fallback", "desk-filler-1", "desk-filler-2"]
    assert {each.voice for each in found} == {None}
    assert {each.voice for each in texts(config, engine, "de+f3", None)} == {"de+f3"}


def test_the_speech_api_speaks_if_its_key_is_set() -> None:
    """The realtime model's key is taken for the same host only."""
    usual = choose(settings.load({"OPENAI_API_KEY": KEY}, None), EngineName.AUTO, None)
    assert usual == OpenAi("https://api.openai.com/v1/audio/speech", KEY)
    elsewhere = settings.load(
        {"OPENAI_API_KEY": KEY, "TRUNKLINE_REALTIME_URL": "wss://models.example.com/v1"}, None
    )
    with pytest.raises(SettingsError, match="--engine openai: no key"):
        choose(elsewhere, EngineName.OPENAI, None)
