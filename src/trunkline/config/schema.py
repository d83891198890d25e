"""What `trunkline.yaml` holds: records that say what is expected of every value."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    model_validator,
)

from trunkline.config.parts import Model, Part, SemanticVad, ServerVad, Transcription
from trunkline.config.values import (
    ANYONE,
    BUSY,
    FILLERS_MAX,
    SAID_CHARS_MAX,
    Called,
    Calls,
    Days,
    EnvName,
    Filler,
    HttpUrl,
    Kinds,
    LanguageTag,
    Name,
    PhoneNumber,
    Said,
    Target,
    Text,
    VariableName,
    VoiceName,
    an_object_s_schema,
    header_names,
    plain_headers,
    short_overflow,
)
from trunkline.core.kinds import DEFAULT_KINDS, Kind
from trunkline.core.retention import Retention
from trunkline.core.slots import HOLDING_S_MAX


class Limits(Part):
    """Waits of a call, in seconds. What is not set comes from the vertical, then from Trunkline."""

    idle_s: Annotated[float, Field(ge=1, le=600)] | None = Field(
        None,
        description="Nobody speaks and nothing plays: the agent asks whether somebody is there.",
    )
    idle_prompts_max: Annotated[int, Field(ge=0, le=20)] | None = Field(
        None, description="So often it asks; the next silence ends the call."
    )
    call_s_max: Annotated[float, Field(ge=10, le=14_400)] | None = Field(
        None, description="The longest call: then the agent says goodbye."
    )
    goodbye_s_max: Annotated[float, Field(ge=1, le=120)] | None = Field(
        None, description="A goodbye that was not played by then is cut."
    )
    digits_pause_s: Annotated[float, Field(ge=0.2, le=10)] | None = Field(
        None, description="Keys pressed within this time are one message to the model."
    )
    model_away_s_max: Annotated[float, Field(ge=3, le=600)] | None = Field(
        None,
        description="Without a model for so long, in a conversation that had begun, the call "
        "fails, and the overflow action follows.",
    )
    rollover_s: Annotated[float, Field(ge=30, le=3540)] | None = Field(
        None, description="A session of this age is replaced at the next quiet moment."
    )


class Vertical(Part):
    """A line of business: the default limits of its tenants."""

    calls_max: Calls | None = Field(
        None, description="Calls at once, inbound and outbound, all its tenants together."
    )
    outbound_calls_max: Calls = Field(5, description="Calls placed at once, for each tenant.")
    limits: Limits = Field(Limits(), description="Waits of its calls.")
    redact: Kinds | None = Field(
        None,
        description="What is taken out of what its calls leave behind; an empty list: nothing. "
        f"Not set: {', '.join(sorted(DEFAULT_KINDS))}.",
    )
    retention_days: Days | None = Field(
        None, description="Days after which an ended call's words and numbers are erased."
    )


class Tenant(Part):
    """Who pays for calls."""

    vertical: Name = Field(description="The vertical whose defaults it has.")
    calls_max: Calls | None = Field(
        None, description="Calls at once, inbound and outbound together."
    )
    outbound_calls_max: Calls | None = Field(
        None, description="Calls placed at once. Not set: the vertical's."
    )
    redact: Kinds | None = Field(
        None, description="What is taken out of its calls' record. Not set: the vertical's."
    )
    retention_days: Days | Literal["forever"] | None = Field(
        None,
        description="Days after which an ended call's words and numbers are erased. Not set: the "
        "vertical's.",
    )


class Agent(Part):
    """What the model is told, and what it may do."""

    instructions: Text = Field(
        description="What the model is told. `{{name}}` is filled in for each call."
    )
    greeting: Annotated[str, Field(max_length=SAID_CHARS_MAX)] = Field(
        "",
        description="What the model is told to open with, as `Say: Good day.`; empty: it waits.",
    )
    voice: VoiceName = Field("marin", description="The model's voice.")
    models: tuple[Model, ...] = Field(
        (),
        max_length=8,
        description="Models in the order they are tried. None: TRUNKLINE_REALTIME_MODEL.",
    )
    turn_detection: Annotated[ServerVad | SemanticVad, Field(discriminator="type")] = Field(
        ServerVad(type="server_vad"), description="How the end of the caller's turn is noticed."
    )
    language: LanguageTag | None = Field(
        None, description="The language that is transcribed and read out, such as en or de-CH."
    )
    transcription: Transcription | None = Field(
        Transcription(), description="What writes down the caller's words; null: nothing does."
    )
    reasoning_effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = Field(
        None, description="For models that reason; others refuse it."
    )
    noise_reduction: Literal["near_field", "far_field"] | None = Field(
        None, description="near_field: a handset at the ear; far_field: a phone on a table."
    )
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] | None = Field(
        None, description="The longest answer, tool calls included."
    )
    tools: tuple[Name, ...] = Field(
        (),
        max_length=64,
        description="Tools by name; built in: end_call, transfer_call, handoff, send_digits.",
    )
    handoffs: tuple[Name, ...] = Field(
        (), max_length=32, description="Agents that may take over; needs the tool handoff."
    )
    transfers: dict[Name, PhoneNumber] = Field(
        {},
        max_length=32,
        description="People by name and number; needs the tool transfer_call.",
    )
    fallback_script: Said | None = Field(
        None,
        description="What a caller hears when no model can be had, once `trunkline voice render` "
        "has made it audio. Not set: Trunkline's own, in the agent's language if it is known.",
    )
    fillers: tuple[Filler, ...] = Field(
        (),
        max_length=FILLERS_MAX,
        description="What a caller hears in turn while something takes long, as `One moment.`; "
        "made audio as the script. None: Trunkline's own.",
    )
    limits: Limits = Field(Limits(), description="Waits of this agent's calls.")


class Voicemail(Part):
    """Take a message."""

    prompt: Said = Field(description="What is said before the tone.")


class Overflow(Part):
    """What a caller gets when no slot is free or a limit is reached: one of these."""

    dial: PhoneNumber | None = Field(None, description="Ring a person.")
    voicemail: Voicemail | None = Field(None, description="Take a message.")
    say: Said | None = Field(None, description="Say this, then hang up.")
    hangup: Literal[True] | None = Field(None, description="Hang up. `hangup` alone will do.")

    @model_validator(mode="after")
    def _one(self) -> "Overflow":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("expected exactly one of dial, voicemail, say, hangup")
        return self

    @property
    def action(self) -> Literal["dial", "voicemail", "say", "hangup"]:
        """Which of the four."""
        if self.dial is not None:
            return "dial"
        if self.voicemail is not None:
            return "voicemail"
        return "say" if self.say is not None else "hangup"

    @property
    def detail(self) -> str:
        """The number to dial, or the text to say; empty for hangup."""
        prompt = "" if self.voicemail is None else self.voicemail.prompt
        return self.dial or self.say or prompt


class Number(Part):
    """What a called number leads to."""

    agent: Name = Field(description="The agent that answers.")
    tenant: Name | None = Field(None, description="Who pays. None: nobody in particular.")
    variables: dict[VariableName, str] = Field(
        {}, max_length=64, description="Values for `{{name}}` in the agent's texts."
    )
    overflow: Annotated[
        Overflow,
        BeforeValidator(short_overflow, json_schema_input_type=Literal["hangup"] | Overflow),
    ] = Field(
        Overflow(say=BUSY),
        description="What a caller gets when no slot is free or a limit is reached.",
    )
    hold_s: Annotated[float, Field(ge=0, le=600)] = Field(
        HOLDING_S_MAX,
        description="Seconds that an inbound caller hears it ring on, unbilled, before that: new "
        "pods come meanwhile. 0: not at all.",
    )


class Tool(Part):
    """What every tool has."""

    description: Annotated[str, Field(min_length=1, max_length=SAID_CHARS_MAX)] = Field(
        description="When the model should use it, and what it does."
    )
    parameters: Annotated[dict[str, JsonValue], AfterValidator(an_object_s_schema)] = Field(
        {"type": "object", "properties": {}},
        description="The JSON schema of its arguments, of type object.",
    )
    timeout_s: Annotated[float, Field(gt=0, le=60)] = Field(
        10.0, description="Seconds after which the model is told that it failed."
    )
    filler_after_ms: Annotated[int, Field(ge=100, le=30_000)] | None = Field(
        1500, description="With no result by then a filler is played; null: never."
    )
    idempotent: bool = Field(
        False,
        description="It knows a repetition by its Idempotency-Key (in Python: by the key of "
        "`CURRENT_RUN`): if the pod dies while it runs, another asks it again. Else the model is "
        "told that its outcome is unknown.",
    )


class HttpTool(Tool):
    """A request to a server of yours, its arguments as JSON."""

    kind: Literal["http"] = Field(description="A request to a server of yours.")
    url: HttpUrl = Field(description="Where it goes.")
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="How it is sent.")
    headers: Annotated[dict[str, str], AfterValidator(plain_headers)] = Field(
        {}, max_length=32, description="Headers that are no secrets."
    )
    secret_headers: Annotated[dict[str, EnvName], AfterValidator(header_names)] = Field(
        {},
        max_length=32,
        description="Headers by the environment variables that hold their values.",
    )
    sign_with: EnvName | None = Field(
        None, description="The environment variable with the key that signs each request."
    )


class PythonTool(Tool):
    """A function of yours, async or run in a thread."""

    kind: Literal["python"] = Field(description="A function of yours.")
    target: Target = Field(description="`module:function`; modules beside this file are found.")


class ContextHook(Part):
    """A request at each call's first webhook: its answer gives the call variables."""

    url: HttpUrl = Field(description="Where it goes.")
    timeout_s: Annotated[float, Field(gt=0, le=5)] = Field(
        1.0, description="Seconds after which the call goes on without."
    )
    sign_with: EnvName | None = Field(
        None, description="The environment variable with the key that signs each request."
    )


class Config(Part):
    """The whole file."""

    version: Annotated[int, Field(ge=1, le=2**53)] = Field(
        1,
        description="Raise it when limits change: the highest that was in use says what they are.",
    )
    inbound_slots_kept: Annotated[int, Field(ge=0, le=100_000)] = Field(
        0, description="Slots of all pods together that no placed call takes: they are for callers."
    )
    verticals: dict[Name, Vertical] = Field({}, description="Lines of business by name.")
    tenants: dict[Name, Tenant] = Field({}, description="Who pays, by name.")
    agents: dict[Name, Agent] = Field(min_length=1, description="Agents by name.")
    numbers: dict[Called, Number] = Field(
        min_length=1, description='What each called number leads to; "*" is every other one.'
    )
    tools: dict[Name, Annotated[HttpTool | PythonTool, Field(discriminator="kind")]] = Field(
        {}, description="Tools that agents name."
    )
    context_hook: ContextHook | None = Field(None, description="Where variables come from.")

    def number(self, called: str) -> Number | None:
        """What a called number leads to; None if nobody answers it."""
        return self.numbers.get(called) or self.numbers.get(ANYONE)

    def vertical_of(self, number: Number) -> str:
        """The vertical of a number's tenant; empty without one."""
        return "" if number.tenant is None else self.tenants[number.tenant].vertical

    def limits_of(self, number: Number, agent: str) -> dict[str, float]:
        """The waits that were set for an agent's calls to a number, by name: its own first."""
        vertical = self.verticals.get(self.vertical_of(number), Vertical())
        return {
            **vertical.limits.model_dump(exclude_none=True),
            **self.agents[agent].limits.model_dump(exclude_none=True),
        }

    def redaction_of(self, number: Number) -> frozenset[Kind]:
        """What is taken out of a number's calls: its tenant's word, over its vertical's."""
        tenant = None if number.tenant is None else self.tenants[number.tenant]
        vertical = self.verticals.get(self.vertical_of(number))
        for part in (tenant, vertical):
            if part is not None and part.redact is not None:
                return frozenset(part.redact)
        return DEFAULT_KINDS

    def retention(self) -> Retention:
        """How long calls are kept, for all tenants."""
        by_vertical = {name: vertical.retention_days for name, vertical in self.verticals.items()}
        return Retention(
            tenants={name: self._days_of(tenant) for name, tenant in self.tenants.items()},
            verticals={name: days for name, days in by_vertical.items() if days is not None},
        )

    def _days_of(self, tenant: Tenant) -> int | None:
        if tenant.retention_days == "forever":
            return None
        if tenant.retention_days is not None:
            return tenant.retention_days
        vertical = self.verticals.get(tenant.vertical)
        return None if vertical is None else vertical.retention_days
