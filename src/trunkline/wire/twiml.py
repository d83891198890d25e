"""TwiML: the documents that webhooks are answered with, and their reading (`parse`, `read`).

Built with the twilio package. URLs are absolute, because a document given inline has no
address that a relative one could lean on. What Twilio would refuse raises `ValueError` here:
it is our own mistake, and better made before the call than during it.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

from twilio.twiml import (  # type: ignore[import-untyped]  # It has no types.
    voice_response as build,
)

from trunkline.wire.twiml_reading import (
    PARAMETER_CHARS_MAX,
    Connect,
    Dial,
    Document,
    Enqueue,
    Gather,
    Hangup,
    Method,
    Number,
    Pause,
    Play,
    Record,
    Redirect,
    Reject,
    Say,
    StreamNoun,
    Verb,
    parse,
    read,
)

__all__ = [
    "CONTENT_TYPE",
    "INLINE_CHARS_MAX",
    "Connect",
    "Dial",
    "Document",
    "Enqueue",
    "Gather",
    "Hangup",
    "Method",
    "Number",
    "Pause",
    "Play",
    "Record",
    "Redirect",
    "Reject",
    "Say",
    "StreamNoun",
    "Verb",
    "connect_stream",
    "dial",
    "hangup",
    "inline",
    "parse",
    "pause_then_redirect",
    "read",
    "redirect",
    "reject",
    "say_then_hangup",
    "voicemail",
]

CONTENT_TYPE: Final = "text/xml"

INLINE_CHARS_MAX: Final = 4000
"""The `Twiml` parameter of the Calls API takes no more."""

SAY_CHARS_MAX: Final = 4096
"""Longer speech is cut: better an end that is missing than a call that breaks."""

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold, however they are written."""


def connect_stream(
    *, url: str, status_callback: str, parameters: Mapping[str, str], then_redirect: str
) -> str:
    """A stream to `url`; whenever and however it ends, `then_redirect` says what follows."""
    _absolute(url, "wss", "ws")
    if "?" in url or "#" in url:
        raise ValueError("a stream's URL can't have a query: use parameters")
    connect = build.Connect()
    stream = connect.stream(
        url=_plain(url),
        status_callback=_absolute(status_callback, "https", "http"),
    )
    for name, value in parameters.items():
        if not name or len(name) + len(value) > PARAMETER_CHARS_MAX:
            raise ValueError(f"parameter {name!r} is over {PARAMETER_CHARS_MAX} characters")
        stream.parameter(name=_plain(name), value=_plain(value))
    response = build.VoiceResponse()
    response.append(connect)
    response.redirect(_absolute(then_redirect, "https", "http"))
    return str(response)


def pause_then_redirect(seconds: int, url: str) -> str:
    """Wait, ringing if nothing came before, and ask `url` what follows."""
    if seconds < 1:
        raise ValueError("a pause lasts a second or more")
    response = build.VoiceResponse()
    response.pause(length=seconds)
    response.redirect(_absolute(url, "https", "http"))
    return str(response)


def redirect(url: str) -> str:
    """Ask `url` what follows, at once."""
    response = build.VoiceResponse()
    response.redirect(_absolute(url, "https", "http"))
    return str(response)


def hangup() -> str:
    """The call ends."""
    response = build.VoiceResponse()
    response.hangup()
    return str(response)


def reject(reason: Literal["rejected", "busy"]) -> str:
    """The call is not answered and not billed. Only as the first answer to an inbound call."""
    response = build.VoiceResponse()
    response.reject(reason=reason)
    return str(response)


def dial(number: str, *, caller_id: str | None, timeout_s: int) -> str:
    """Join the caller with somebody else; after that, or if nobody answers, the call ends."""
    if not number:
        raise ValueError("nobody to dial")
    leg = build.Dial(caller_id=None if caller_id is None else _plain(caller_id), timeout=timeout_s)
    leg.number(_plain(number))
    response = build.VoiceResponse()
    response.append(leg)
    return str(response)


def say_then_hangup(text: str, *, voice: str | None, language: str | None) -> str:
    """Speech made by the carrier, and the end."""
    response = build.VoiceResponse()
    _say(response, text, voice=voice, language=language)
    response.hangup()
    return str(response)


def voicemail(prompt: str, *, max_length_s: int, action: str | None) -> str:
    """Ask for a message and record it. `action` is told of the recording and says what follows.

    Without `action` Twilio asks this document's own URL again after a recording. Who says
    nothing is hung up on.
    """
    response = build.VoiceResponse()
    _say(response, prompt, voice=None, language=None)
    response.record(
        max_length=max_length_s,
        play_beep=True,
        action=None if action is None else _absolute(action, "https", "http"),
    )
    response.hangup()
    return str(response)


def inline(document: str) -> str:
    """The document, checked against the limit of the Calls API's `Twiml` parameter."""
    if len(document) > INLINE_CHARS_MAX:
        raise ValueError(f"inline TwiML over {INLINE_CHARS_MAX} characters")
    return document


def _say(
    response: build.VoiceResponse, text: str, *, voice: str | None, language: str | None
) -> None:
    # Speech comes from people: what XML can't hold is left out, not refused.
    spoken = _NOT_XML.sub("", text)[:SAY_CHARS_MAX]
    response.say(spoken, voice=voice, language=language)


def _plain(text: str) -> str:
    """The text, if XML can hold it."""
    if _NOT_XML.search(text):
        raise ValueError("a character that XML can't hold")
    return text


def _absolute(url: str, *schemes: str) -> str:
    parts = urlsplit(url)
    spaces = any(character.isspace() for character in url)
    if parts.scheme not in schemes or not parts.netloc or spaces:
        raise ValueError(f"not an absolute {' or '.join(schemes)} URL")
    return _plain(url)
