"""An agent of the config file as the model's session is told of it. Part of the pod's root."""

from msgspec import UNSET, UnsetType

from trunkline.config.parts import SemanticVad, ServerVad
from trunkline.config.schema import Agent
from trunkline.wire.realtime import session
from trunkline.wire.realtime.session import FunctionTool


def session_of(agent: Agent, *, instructions: str, tools: list[FunctionTool]) -> session.Session:
    """The whole `session.update` of an agent: µ-law on both sides."""
    heard = agent.transcription
    return session.Session(
        instructions=instructions,
        output_modalities=["audio"],
        audio=session.Audio(
            input=session.AudioInput(
                format=session.Pcmu(),
                transcription=None
                if heard is None
                else session.Transcription(
                    heard.model,
                    language=_short(agent.language),
                    prompt=UNSET if heard.prompt is None else heard.prompt,
                ),
                noise_reduction=(
                    None
                    if agent.noise_reduction is None
                    else session.NoiseReduction(agent.noise_reduction)
                ),
                turn_detection=_turn_detection(agent.turn_detection),
            ),
            output=session.AudioOutput(format=session.Pcmu(), voice=agent.voice),
        ),
        tools=tools,
        tool_choice="auto",
        reasoning=(
            UNSET if agent.reasoning_effort is None else session.Reasoning(agent.reasoning_effort)
        ),
        max_output_tokens=UNSET if agent.max_output_tokens is None else agent.max_output_tokens,
    )


def _short(language: str | None) -> str | UnsetType:
    """What transcription takes: ISO 639-1, without a region."""
    return UNSET if language is None else language.partition("-")[0]


def _turn_detection(vad: ServerVad | SemanticVad) -> session.TurnDetection:
    given = vad.model_dump(exclude={"type"}, exclude_none=True)
    if isinstance(vad, ServerVad):
        return session.ServerVad(**given)
    return session.SemanticVad(**given)
