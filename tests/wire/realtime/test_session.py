import msgspec
import pytest
from hypothesis import given

from trunkline.wire.realtime import session
from trunkline.wire.realtime.session import Session, effective
from wire import records


def held(settings: Session) -> session.EffectiveSession:
    return effective(settings, session_id="sess_1", model="m", expires_at=7)


def test_a_session_of_which_nothing_was_said_has_the_servers_defaults() -> None:
    """Defaults of the protocol: 24 kHz, server VAD, no transcription, no tools."""
    assert msgspec.to_builtins(held(Session())) == {
        "type": "realtime",
        "id": "sess_1",
        "object": "realtime.session",
        "model": "m",
        "expires_at": 7,
        "instructions": "",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "create_response": True,
                    "interrupt_response": True,
                    "idle_timeout_ms": None,
                },
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": "alloy",
                "speed": 1.0,
            },
        },
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "truncation": "auto",
        "include": None,
        "tracing": None,
        "prompt": None,
    }


def _within(said: records.Json, whole: records.Json) -> bool:
    """Whether everything said stands in the whole."""
    if isinstance(said, dict) and isinstance(whole, dict):
        return all(key in whole and _within(inner, whole[key]) for key, inner in said.items())
    return said == whole


@given(records.of(Session))
def test_what_a_client_set_holds(settings: Session) -> None:
    """Every field that was said stands in the full view as it was said; the model is the URL's."""
    said = msgspec.json.decode(msgspec.json.encode(settings))
    said.pop("model", None)
    assert _within(said, msgspec.json.decode(msgspec.json.encode(held(settings))))


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        (None, None),
        (session.ServerVad(threshold=0.9), 0.9),
        (session.SemanticVad(), "auto"),
    ],
)
def test_turn_detection_is_filled_in_or_off(
    said: session.TurnDetection | None, holds: float | str | None
) -> None:
    """Null turns it off; an object keeps what it says and has defaults for the rest."""
    audio = session.Audio(session.AudioInput(turn_detection=said))
    match held(Session(audio=audio)).audio.input.turn_detection:
        case None:
            assert holds is None
        case session.ServerVad(threshold=threshold, silence_duration_ms=silence_ms):
            assert (threshold, silence_ms) == (holds, 500)
        case session.SemanticVad() as semantic:
            assert semantic == session.SemanticVad("auto", True, True)
