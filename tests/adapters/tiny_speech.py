"""The speech API on loopback, stricter than the real one, judged by OpenAI's own package."""

import math
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from openai.types.audio.speech_create_params import SpeechCreateParams
from pydantic import JsonValue, TypeAdapter, ValidationError

KEY: Final = "sk-sham-of-the-speech-api"
VOICES: Final = {"alloy", "cedar", "coral", "marin"}
MODELS: Final = {"gpt-4o-mini-tts", "tts-1"}
FIELDS: Final = {"model", "input", "voice", "response_format"}
PATH: Final = "/v1/audio/speech"

ORDER: TypeAdapter[SpeechCreateParams] = TypeAdapter(SpeechCreateParams)


def hum(text: str, rate: int = 24_000) -> "array[int]":
    """A tone with silence around it, the longer the text the longer."""
    turn = 2 * math.pi * 440 / rate
    sound = [round(9000 * math.sin(turn * n)) for n in range(rate * len(text) // 50)]
    silence = [0] * (rate // 5)
    return array("h", silence + sound + silence)


@dataclass
class TinySpeech:
    """What was asked for. `instead` is answered where it is set: a status, a body, a type."""

    url: str = ""
    orders: list[dict[str, JsonValue]] = field(default_factory=list)
    instead: tuple[int, bytes, str] | None = None

    async def speak(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _error(401, "invalid_api_key", request.headers.get("Authorization", ""))
        if request.content_type != "application/json" or request.query_string:
            return _error(400, "invalid_request", "JSON, and no query")
        order: dict[str, JsonValue] = await request.json()
        try:
            ORDER.validate_python(order, strict=True)
        except ValidationError:
            return _error(400, "invalid_request", "not of the API")
        text = order["input"]
        assert isinstance(text, str)
        if set(order) != FIELDS or order["response_format"] != "pcm" or not 0 < len(text) <= 4096:
            return _error(400, "invalid_request", "not what we send")
        if order["voice"] not in VOICES:
            return _error(400, "invalid_voice", "no such voice")
        if order["model"] not in MODELS:
            return _error(404, "model_not_found", f"no such model for {KEY}")
        self.orders.append(order)
        if self.instead is not None:
            status, body, kind = self.instead
            return web.Response(status=status, body=body, content_type=kind)
        return web.Response(body=hum(text).tobytes(), content_type="audio/pcm")


def _error(status: int, code: str, message: str) -> web.Response:
    told = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
    return web.json_response(told, status=status)


@asynccontextmanager
async def speaking() -> AsyncIterator[TinySpeech]:
    """Serve it."""
    tiny = TinySpeech()
    application = web.Application()
    application.router.add_post(PATH, tiny.speak)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        tiny.url = f"http://127.0.0.1:{port}{PATH}"
        yield tiny
    finally:
        await runner.cleanup()
