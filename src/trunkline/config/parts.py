"""What an agent of `trunkline.yaml` is made of: models, turns, transcription."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from trunkline.config import urls
from trunkline.config.values import SAID_CHARS_MAX, EnvName, ModelName

SESSIONS_MAX: Final = 100_000
"""No key allows more."""


class Part(BaseModel):
    """A mapping of the file: keys that are not named here are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Model(Part):
    """A realtime model, where it is, and the key to it."""

    name: ModelName = Field(description="The model's name, such as gpt-realtime-2.1.")
    url: Annotated[str, AfterValidator(urls.wss)] | None = Field(
        None, description="Its WebSocket. Not set: TRUNKLINE_REALTIME_URL."
    )
    key_env: EnvName | None = Field(
        None,
        description="The environment variable that holds its key (or NAME_FILE a file's path). "
        "Not set: TRUNKLINE_REALTIME_API_KEY.",
    )
    key_header: Literal["authorization", "api-key"] = Field(
        "authorization", description="How the key is sent: as a bearer, or in Azure's own header."
    )
    sessions_max: Annotated[int, Field(ge=1, le=SESSIONS_MAX)] | None = Field(
        None,
        description="Sessions that its key allows at once. A few are kept for live calls; a new "
        "call beyond the rest goes to the next model that has room, else it overflows. All agents "
        "that name this model with this URL and key share it. Not set: no limit is known.",
    )


class ServerVad(Part):
    """Turns end after a silence."""

    type: Literal["server_vad"] = Field(description="Turns by silence.")
    threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="How loud speech is, from 0 to 1; a noisy line needs more."
    )
    prefix_padding_ms: Annotated[int, Field(ge=0, le=5000)] | None = Field(
        None, description="Audio kept from before the speech was noticed, in ms."
    )
    silence_duration_ms: Annotated[int, Field(ge=50, le=10_000)] | None = Field(
        None, description="A silence of this length ends the turn, in ms."
    )
    idle_timeout_ms: Annotated[int, Field(ge=5000, le=30_000)] | None = Field(
        None, description="After a silence of this length the model speaks of itself, in ms."
    )


class SemanticVad(Part):
    """Turns end when the caller seems to have finished."""

    type: Literal["semantic_vad"] = Field(description="Turns by meaning.")
    eagerness: Literal["low", "medium", "high", "auto"] = Field(
        "auto", description="How soon the model answers when it is unsure."
    )


class Transcription(Part):
    """Writing down what the caller says."""

    model: ModelName = Field("gpt-transcribe", description="The transcription model.")
    prompt: Annotated[str, Field(max_length=SAID_CHARS_MAX)] | None = Field(
        None, description="Words to expect: names, products, street names."
    )
