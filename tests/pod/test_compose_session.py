"""An agent's `session.update`, setting by setting."""

import msgspec
from msgspec import UNSET

from trunkline.config.parts import SemanticVad, ServerVad
from trunkline.config.schema import Agent
from trunkline.pod.compose_session import session_of
from trunkline.wire.realtime import session


def test_what_the_agent_does_not_set_is_not_sent() -> None:
    """Models refuse settings that they do not have."""
    made = session_of(Agent(instructions="Answer."), instructions="Answer.", tools=[])
    assert made.reasoning is UNSET
    assert made.max_output_tokens is UNSET
    assert b"reasoning" not in msgspec.json.encode(made)


def test_what_it_sets_is_sent_in_the_model_s_words() -> None:
    """Transcription takes a language without its region."""
    agent = Agent(
        instructions="Answer.",
        language="de-CH",
        turn_detection=SemanticVad(type="semantic_vad", eagerness="low"),
        reasoning_effort="high",
    )
    made = session_of(agent, instructions="Antworte.", tools=[])
    assert made.instructions == "Antworte."
    assert made.reasoning == session.Reasoning("high")
    assert isinstance(made.audio, session.Audio)
    assert isinstance(made.audio.input, session.AudioInput)
    assert isinstance(made.audio.input.transcription, session.Transcription)
    assert made.audio.input.transcription.language == "de"
    assert made.audio.input.turn_detection == session.SemanticVad(eagerness="low")


def test_turns_by_silence_keep_their_numbers() -> None:
    """And leave the rest to the model."""
    agent = Agent(
        instructions="Answer.",
        turn_detection=ServerVad(type="server_vad", silence_duration_ms=400),
    )
    made = session_of(agent, instructions="Answer.", tools=[])
    assert isinstance(made.audio, session.Audio)
    assert isinstance(made.audio.input, session.AudioInput)
    assert made.audio.input.turn_detection == session.ServerVad(silence_duration_ms=400)
