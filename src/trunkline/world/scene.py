"""What the world's callers and agents do: one line, its agent, its tools, and the callers' scripts.

An agent's instructions name its call: so the model's side can tell whose session it is.
"""

import asyncio
import random
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

import msgspec

from trunkline.call.plan import Agent, CallPlan, Clip, Limits, Tool, ToolKind
from trunkline.core.ids import CallSid
from trunkline.core.slots import Bounds, ModelLimit
from trunkline.pod.builtins import describe
from trunkline.pod.directory import Line, Overflow, Prepared
from trunkline.pod.tools.hook import ContextHook, Found
from trunkline.pod.tools.run import ToolResult
from trunkline.sim.caller import HangUp, Interrupt, Listen, Pause, Say, Script, Step
from trunkline.sim.speech import Speech
from trunkline.wire.realtime import session
from trunkline.world.carrier import NUMBER
from trunkline.world.model import MODEL

TOOL_S: Final = (0.05, 4.0)
"""How long a tool takes."""

HOLD_S: Final = 75.0

WORDS: Final = (
    "hello",
    "what are your prices",
    "thank you",
    "i want to book an appointment",
    "tell me a story",
    "two three four",
)
GOODBYE: Final = "goodbye"


class NamesCalls(ContextHook):
    """A context hook that gives each call its own name."""

    def __init__(self) -> None:
        """It asks nobody."""

    async def ask(self, *, call: CallSid, from_number: str, to_number: str, agent: str) -> Found:
        """The call's name."""
        del from_number, to_number, agent
        return Found({"call": call})


class Scene:
    """A `Directory` of one line."""

    def __init__(self, speech: Speech, bounds: Bounds) -> None:
        self.hook = NamesCalls()
        self._bounds = bounds
        tools = [ToolKind.END_CALL]
        price = session.FunctionTool(
            "find_prices",
            "What it costs.",
            msgspec.Raw(b'{"type":"object","properties":{}}'),
        )
        self._told = [
            *(describe(kind, handoffs=(), transfers=()) for kind in tools),
            price,
        ]
        self._tools = {
            **{kind.value: Tool(kind.value, kind) for kind in tools},
            "find_prices": Tool("find_prices", ToolKind.HTTP, idempotent=True),
        }
        self._sorry = _clip(speech, "sorry", "sorry i did not understand")
        self._moment = _clip(speech, "moment", "hello")

    def line(self, number: str) -> Line | None:
        """The one there is."""
        if number != NUMBER:
            return None
        return Line(
            number,
            "desk",
            "clinic",
            "health",
            Overflow("say", "sorry"),
            bounds=self._bounds,
            models=(ModelLimit(MODEL),),
            hold_s=HOLD_S,
        )

    def prepare(self, line: Line, variables: Mapping[str, str]) -> Prepared:
        """The agent of one call."""
        audio = session.Audio(
            input=session.AudioInput(
                format=session.Pcmu(),
                transcription=session.Transcription("whisper-1"),
                turn_detection=session.ServerVad(),
            ),
            output=session.AudioOutput(format=session.Pcmu(), voice="marin"),
        )
        told = session.Session(
            instructions=f"You serve call {variables.get('call', '')}.",
            output_modalities=["audio"],
            audio=audio,
            tools=self._told,
            tool_choice="auto",
        )
        agent = Agent(line.agent, told, greeting="Greet.", tools=self._tools, fallback=self._sorry)
        plan = CallPlan({agent.name: agent}, agent.name, Limits(), (self._moment,))
        return Prepared(plan, {}, (MODEL,))


class WorldTools:
    """A `Toolbox`: tools take their time, and some fail."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def run(self, name: str, arguments: str, call_id: str) -> ToolResult:
        """One tool."""
        del name, arguments, call_id
        await asyncio.sleep(self._rng.uniform(*TOOL_S))
        if self._rng.random() < 0.1:  # noqa: PLR2004 - one in ten
            return ToolResult(ok=False, output="error: none", outcome="failed")
        return ToolResult(ok=True, output='{"price": 90}', outcome="ok")


def script_of(rng: random.Random) -> Script:
    """What one caller does."""
    steps: list[Step] = [Listen(max_ms=12_000)]
    for _ in range(rng.randint(1, 4)):
        words = rng.choice(WORDS)
        if rng.random() < 0.25:  # noqa: PLR2004 - a fourth of them
            steps.append(Interrupt(rng.randint(300, 1500), words, max_ms=8_000))
        else:
            steps.append(Say(words))
        steps.append(Listen(max_ms=12_000))
        if rng.random() < 0.3:  # noqa: PLR2004 - nearly a third
            steps.append(Pause(rng.randint(500, 12_000)))
    if rng.random() < 0.3:  # noqa: PLR2004 - the agent hangs up
        steps += [Say(GOODBYE), Listen(max_ms=10_000)]
    return (*steps, HangUp())


def _clip(speech: Speech, name: str, text: str) -> Clip:
    return Clip(name, b64encode(speech.speak(text)).decode(), text)
