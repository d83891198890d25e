import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from trunkline.errors import ModelProtocolError
from trunkline.sim.realtime.settings import check, explained, merged, voice_of
from trunkline.wire.realtime import client
from trunkline.wire.realtime.session import (
    Audio,
    AudioInput,
    AudioOutput,
    FunctionTool,
    Pcmu,
    Session,
)


def session(**fields: object) -> Session:
    text = json.dumps({"type": "session.update", "session": {"type": "realtime", **fields}})
    event = client.decode(text)
    assert isinstance(event, client.SessionUpdate)
    return event.session


def refused(update: Session, *, spoken: bool = False, responding: bool = False) -> tuple[str, str]:
    with pytest.raises(ModelProtocolError) as error:
        check(update, Session(), "gpt-realtime-2.1", spoken=spoken, responding=responding)
    return error.value.code, str(error.value.param)


def test_updates_merge() -> None:
    """What a second update leaves out stays as the first one set it."""
    first = session(
        instructions="one",
        audio={"input": {"format": {"type": "audio/pcmu"}}, "output": {"voice": "marin"}},
    )
    both = merged(first, session(audio={"output": {"speed": 1.2}}))
    assert both.instructions == "one"
    assert both.audio == Audio(AudioInput(Pcmu()), AudioOutput(voice="marin", speed=1.2))
    assert merged(both, session(instructions="")).instructions == ""


def test_tools_and_turn_detection_are_set_as_a_whole() -> None:
    """`[]` clears tools, null switches detection off."""
    tool = FunctionTool("t", "", Raw(b"{}"))
    old = Session(
        tools=[tool],
        audio=session(
            audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}}
        ).audio,
    )
    new = merged(
        old, session(tools=[], audio={"input": {"turn_detection": {"type": "server_vad"}}})
    )
    assert new.tools == []
    assert new == merged(new, Session())
    assert isinstance(new.audio, Audio)
    assert isinstance(new.audio.input, AudioInput)
    assert getattr(new.audio.input.turn_detection, "threshold", None) is UNSET
    off = merged(new, session(audio={"input": {"turn_detection": None}}))
    assert isinstance(off.audio, Audio)
    assert isinstance(off.audio.input, AudioInput)
    assert off.audio.input.turn_detection is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "gpt-realtime"}, "model"),
        ({"output_modalities": ["audio", "text"]}, "output_modalities"),
        ({"output_modalities": []}, "output_modalities"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 4097}, "max_output_tokens"),
        ({"audio": {"output": {"voice": "nobody"}}}, "audio.output.voice"),
        ({"audio": {"output": {"speed": 2.0}}}, "audio.output.speed"),
        (
            {"audio": {"input": {"transcription": {"model": "x"}}}},
            "audio.input.transcription.model",
        ),
        (
            {
                "tools": [
                    {"type": "function", "name": "no good", "description": "", "parameters": {}}
                ]
            },
            "tools[0].name",
        ),
        (
            {"tools": [{"type": "function", "name": "t", "description": "", "parameters": {}}] * 2},
            "tools[1].name",
        ),
        (
            {"tools": [{"type": "function", "name": "t", "description": "", "parameters": 5}]},
            "tools[0].parameters",
        ),
        *[
            (
                {"audio": {"input": {"turn_detection": {"type": "server_vad", name: value}}}},
                f"audio.input.turn_detection.{name}",
            )
            for name, value in (
                ("threshold", 1.5),
                ("prefix_padding_ms", -1),
                ("silence_duration_ms", -1),
                ("idle_timeout_ms", 4999),
                ("idle_timeout_ms", 30001),
            )
        ],
    ],
)
def test_values_that_no_server_takes_are_refused(fields: dict[str, object], param: str) -> None:
    """Check list, line 3: by the codec already, or here."""
    with pytest.raises(ModelProtocolError) as error:
        check(session(**fields), Session(), "gpt-realtime-2.1", spoken=False, responding=False)
    assert error.value.code == "invalid_value"
    assert error.value.param is not None
    assert error.value.param.startswith(f"session.{param}".partition("[")[0])


def test_the_voice_is_frozen_after_the_first_audio() -> None:
    """Check list, line 3; naming the same voice again is no change."""
    ash = session(audio={"output": {"voice": "ash"}})
    assert voice_of(ash) == "ash"
    assert voice_of(Session()) == "alloy"
    assert refused(ash, spoken=True) == ("cannot_update_voice", "session.audio.output.voice")
    check(ash, Session(), "gpt-realtime", spoken=False, responding=False)
    check(ash, ash, "gpt-realtime", spoken=True, responding=False)


def test_speed_changes_only_between_turns() -> None:
    """Not while a response is active."""
    faster = session(audio={"output": {"speed": 1.3}})
    assert refused(faster, responding=True) == ("invalid_value", "session.audio.output.speed")
    check(faster, Session(), "gpt-realtime", spoken=True, responding=False)


@pytest.mark.parametrize("field", [{"reasoning": {"effort": "low"}}, {"parallel_tool_calls": True}])
def test_reasoning_is_for_reasoning_models(field: dict[str, object]) -> None:
    """Other models refuse the whole update."""
    check(session(**field), Session(), "gpt-realtime-2.1", spoken=False, responding=False)
    with pytest.raises(ModelProtocolError, match="does not support"):
        check(session(**field), Session(), "gpt-realtime-1.5", spoken=False, responding=False)


def test_what_only_the_simulator_lacks_is_said_so() -> None:
    """Whoever tests a bot of their own learns that the field is right."""
    told = explained(ModelProtocolError("Unknown", "unknown_parameter", "session.tracing"))
    assert "real API" in str(told)
    told = explained(
        ModelProtocolError("Invalid", "invalid_value", "session.audio.input.format.type")
    )
    assert "audio/pcmu only" in str(told)
    plain = ModelProtocolError("Unknown", "unknown_parameter", "session.temperature")
    assert explained(plain) is plain


@given(st.sampled_from(["instructions", "audio", "tools", "both"]))
def test_merging_nothing_changes_nothing(what: str) -> None:
    """An empty update is an update all the same."""
    old = session(instructions="x") if what != "audio" else session(audio={"output": {}})
    assert merged(old, session()) == old
