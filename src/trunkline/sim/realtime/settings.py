"""`session.update`: merged whole, or refused whole with the old settings kept."""

import re
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET

from trunkline.errors import ModelProtocolError
from trunkline.sim.realtime.options import REASONING_MODELS
from trunkline.wire.realtime.session import (
    Audio,
    AudioInput,
    AudioOutput,
    FunctionTool,
    ServerVad,
    Session,
)

VOICES: Final = frozenset(
    {"alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"}
)
TRANSCRIPTION_MODELS: Final = frozenset(
    {
        "gpt-transcribe",
        "gpt-live-transcribe",
        "gpt-realtime-whisper",
        "whisper-1",
        "gpt-4o-transcribe",
        "gpt-4o-transcribe-diarize",
        "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15",
    }
)
TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
IDLE_MS: Final = (5_000, 30_000)
SPEED: Final = (0.25, 1.5)
TOKENS: Final = (1, 4096)

NOT_SIMULATED: Final = frozenset({"tracing", "include", "prompt"})
"""Fields of the real API that this simulator has no part in: refused, and said so."""

_PARTS: Final = (Session, Audio, AudioInput, AudioOutput)
_T = TypeVar("_T", bound=msgspec.Struct)


def merged(old: _T, new: _T) -> _T:
    """`old` with every field that `new` sets; a tool list or turn detection is set as a whole."""
    changed = {}
    for name in new.__struct_fields__:
        value = getattr(new, name)
        if value is UNSET:
            continue
        before = getattr(old, name)
        if isinstance(value, _PARTS) and isinstance(before, _PARTS):
            value = merged(before, value)
        changed[name] = value
    return msgspec.structs.replace(old, **changed)


def check(update: Session, old: Session, model: str, *, spoken: bool, responding: bool) -> None:
    """Refuse an update that the real API would refuse. Says so by `ModelProtocolError`."""
    if update.model is not UNSET and update.model != model:
        _refuse("model", "A session's model can't be changed.")
    reasoning = update.reasoning is not UNSET or update.parallel_tool_calls is not UNSET
    if reasoning and model not in REASONING_MODELS:
        name = "reasoning" if update.reasoning is not UNSET else "parallel_tool_calls"
        _refuse(name, f"'{model}' does not support it.")
    check_modalities(update.output_modalities, "session.output_modalities")
    check_tokens(update.max_output_tokens, "session.max_output_tokens")
    check_tools(update.tools, "session.tools")
    if isinstance(update.audio, Audio):
        if isinstance(update.audio.input, AudioInput):
            _check_input(update.audio.input)
        if isinstance(update.audio.output, AudioOutput):
            _check_output(update.audio.output, old, spoken=spoken, responding=responding)


def check_modalities(value: object, param: str) -> None:
    """Audio or text, never both: audio always has a transcript."""
    if value is not UNSET and value not in (["audio"], ["text"]):
        raise ModelProtocolError(
            f"Invalid modalities {value}: ['audio'] or ['text'].", "invalid_value", param
        )


def check_tokens(value: object, param: str) -> None:
    """1 to 4096, or "inf"."""
    if isinstance(value, int) and not TOKENS[0] <= value <= TOKENS[1]:
        raise ModelProtocolError(f"Invalid '{param}': {TOKENS}.", "invalid_value", param)


def check_tools(tools: object, param: str) -> None:
    """Names that can be called, each once, with a schema of an object."""
    if not isinstance(tools, list):
        return
    names: set[str] = set()
    for index, tool in enumerate(tools):
        assert isinstance(tool, FunctionTool)
        if not TOOL_NAME.fullmatch(tool.name) or tool.name in names:
            raise ModelProtocolError(
                f"Invalid tool name '{tool.name}'.", "invalid_value", f"{param}[{index}].name"
            )
        names.add(tool.name)
        if not bytes(tool.parameters).lstrip().startswith(b"{"):
            raise ModelProtocolError(
                "A tool's parameters are a JSON schema.",
                "invalid_value",
                f"{param}[{index}].parameters",
            )


def explained(error: ModelProtocolError) -> ModelProtocolError:
    """The error with a remark where the real API would have taken the field."""
    param = error.param or ""
    remark = ""
    if error.code == "unknown_parameter" and param.removeprefix("session.") in NOT_SIMULATED:
        remark = " The real API has it; this simulator does not."
    elif ".format" in param:
        remark = " This simulator hears and speaks audio/pcmu only."
    return ModelProtocolError(f"{error}{remark}", error.code, error.param) if remark else error


def _check_input(given: AudioInput) -> None:
    transcription, detection = given.transcription, given.turn_detection
    if (
        isinstance(transcription, msgspec.Struct)
        and transcription.model not in TRANSCRIPTION_MODELS
    ):
        _refuse("audio.input.transcription.model", f"No model '{transcription.model}'.")
    if not isinstance(detection, ServerVad):
        return
    place = "audio.input.turn_detection"
    if isinstance(detection.threshold, float | int) and not 0 <= detection.threshold <= 1:
        _refuse(f"{place}.threshold", "From 0 to 1.")
    for name in ("prefix_padding_ms", "silence_duration_ms"):
        if isinstance(value := getattr(detection, name), int) and value < 0:
            _refuse(f"{place}.{name}", "Not below 0.")
    idle = detection.idle_timeout_ms
    if isinstance(idle, int) and not IDLE_MS[0] <= idle <= IDLE_MS[1]:
        _refuse(f"{place}.idle_timeout_ms", f"From {IDLE_MS[0]} to {IDLE_MS[1]}.")


def _check_output(given: AudioOutput, old: Session, *, spoken: bool, responding: bool) -> None:
    if isinstance(given.voice, str):
        if given.voice not in VOICES:
            _refuse("audio.output.voice", f"No voice '{given.voice}'.")
        if spoken and given.voice != voice_of(old):
            raise ModelProtocolError(
                "The voice can't be changed after the first audio.",
                "cannot_update_voice",
                "session.audio.output.voice",
            )
    if isinstance(given.speed, int | float):
        if not SPEED[0] <= given.speed <= SPEED[1]:
            _refuse("audio.output.speed", f"From {SPEED[0]} to {SPEED[1]}.")
        if responding:
            _refuse("audio.output.speed", "Speed changes only between turns.")


def voice_of(settings: Session) -> str:
    """The voice in effect."""
    match settings.audio:
        case Audio(output=AudioOutput(voice=str(voice))):
            return voice
        case _:
            return "alloy"


def _refuse(name: str, why: str) -> None:
    param = f"session.{name}"
    raise ModelProtocolError(f"Invalid '{param}'. {why}", "invalid_value", param)
