"""Engines that speak: the speech API over real HTTP, and espeak-ng where it is installed."""

import dataclasses
import stat
from pathlib import Path

import pytest

from adapters.tiny_speech import KEY, hum, speaking
from trunkline.adapters.speech import Espeak, OpenAi, installed_espeak
from trunkline.errors import SoundError
from trunkline.wire import pcm

pytestmark = pytest.mark.anyio

ESPEAK = installed_espeak()
needs_espeak = pytest.mark.skipif(ESPEAK is None, reason="espeak-ng is not installed")


async def test_the_speech_api_is_asked_for_samples() -> None:
    """With model, voice and text, and nothing that the API does not know."""
    async with speaking() as api:
        speech = await OpenAi(api.url, KEY).speak("One moment, café.", "coral", "fr")
    assert api.orders == [
        {
            "model": "gpt-4o-mini-tts",
            "input": "One moment, café.",
            "voice": "coral",
            "response_format": "pcm",
        }
    ]
    assert (speech.rate, speech.samples) == (24_000, hum("One moment, café."))


async def test_a_voice_need_not_be_named() -> None:
    """Then it is the one that agents have by default."""
    async with speaking() as api:
        await OpenAi(api.url, KEY, "tts-1").speak("Hello.", None, None)
    assert (api.orders[0]["voice"], api.orders[0]["model"]) == ("marin", "tts-1")
    assert OpenAi(api.url, KEY).made_by(None, "de") == "gpt-4o-mini-tts marin"


@pytest.mark.parametrize(
    ("key", "model", "voice", "told"),
    [
        ("sk-wrong", "tts-1", "coral", "HTTP 401 (invalid_api_key); see TRUNKLINE_SPEECH_API_KEY"),
        (KEY, "tts-9", "coral", "HTTP 404 (model_not_found); see --model"),
        (KEY, "tts-1", "nobody", "HTTP 400 (invalid_voice); another --voice"),
    ],
)
async def test_a_refusal_names_the_remedy_and_no_key(
    key: str, model: str, voice: str, told: str
) -> None:
    """The API's own text quotes the key; ours does not."""
    async with speaking() as api:
        engine = OpenAi(api.url, key, model)
        with pytest.raises(SoundError) as refused:
            await engine.speak("Hello.", voice, None)
    assert told in str(refused.value)
    assert "sk-" not in str(refused.value) + repr(engine)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"", "sent no 16-bit PCM"),
        (200, b"\0\0\0", "sent no 16-bit PCM"),
        (200, b"RIFF\0\0\0\0WAVE", "sent no 16-bit PCM"),
        (200, b"ID3\0", "sent no 16-bit PCM"),
        (200, b"\0" * 8_640_001, "more than 180 s"),
        (307, b"", "HTTP 307"),
        (429, b"[" * 20_000, "HTTP 429; wait"),
        (500, b'{"error":{"code":"BAD CODE\\n"}}', "HTTP 500; run it again later"),
        (503, b"\xff", "HTTP 503; run it again later"),
    ],
)
async def test_an_answer_that_is_no_speech_is_told(status: int, body: bytes, told: str) -> None:
    """In one line; a redirect is not followed, or the key would go elsewhere."""
    async with speaking() as api:
        api.instead = (status, body, "application/octet-stream")
        with pytest.raises(SoundError) as refused:
            await OpenAi(api.url, KEY).speak("Hello.", None, None)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_nobody_at_the_address() -> None:
    """The setting is named."""
    with pytest.raises(SoundError, match=r"127\.0\.0\.1:1 can't be reached .*TRUNKLINE_SPEECH_URL"):
        await OpenAi("http://127.0.0.1:1/v1/audio/speech", KEY).speak("Hello.", None, None)


@needs_espeak
@pytest.mark.parametrize("language", [None, "en", "en-GB", "de-CH", "fr"])
async def test_espeak_speaks_the_languages_of_agents(language: str | None) -> None:
    """With a region or without one."""
    assert ESPEAK is not None
    speech = await ESPEAK.speak("-v is no option here: 1, 2, 3.", None, language)
    assert 8000 < len(pcm.telephone(speech.samples, speech.rate)) < 60_000


@needs_espeak
async def test_espeak_refuses_a_voice_that_it_does_not_have() -> None:
    """And says how to list them."""
    assert ESPEAK is not None
    with pytest.raises(SoundError, match=r"espeak-ng failed: .*voice.*espeak-ng --voices"):
        await ESPEAK.speak("Hello.", "klingon-not", None)


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("exit 3", "exit code 3"),
        ("echo 'no \x1b[31mvoice' >&2; exit 1", r"no \[31mvoice"),
        ("exit 0", "it wrote no sound"),
        ('while [ "$1" != -w ]; do shift; done; echo garbage > "$2"', "wrote no sound"),
    ],
)
async def test_a_program_that_fails_is_told_in_a_line(tmp_path: Path, does: str, told: str) -> None:
    """Whatever it did instead of speaking."""
    program = tmp_path / "espeak-ng"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\n{does}\n")
    program.chmod(stat.S_IRWXU)
    with pytest.raises(SoundError, match=told):
        await Espeak(str(program)).speak("Hello.", None, None)


def test_another_speed_or_voice_is_another_sound() -> None:
    """So clips made with it are out of date."""
    engine = Espeak("espeak-ng")
    lines = {
        engine.made_by(None, None),
        engine.made_by(None, "de"),
        engine.made_by("de+f3", "de"),
        dataclasses.replace(engine, words_per_minute=200).made_by(None, None),
    }
    assert len(lines) == 4
