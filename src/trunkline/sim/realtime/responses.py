"""What a session answers with: one response writing to the conversation, others beside it."""

import math
from typing import Final

from msgspec import UNSET

from trunkline.errors import ModelProtocolError
from trunkline.sim.realtime import settings as rules
from trunkline.sim.realtime.arguments import arguments_for
from trunkline.sim.realtime.brain import Ask, Brain, Call, Reply, Say, Why
from trunkline.sim.realtime.conversation import Conversation, text_of, text_tokens
from trunkline.sim.realtime.faults import Faults
from trunkline.sim.realtime.ids import Ids
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.realtime.speaking import Plan, Speaking
from trunkline.sim.speech import Speech, UnknownWordError
from trunkline.wire.realtime import server
from trunkline.wire.realtime.client import ResponseOptions
from trunkline.wire.realtime.items import Message
from trunkline.wire.realtime.responses import InputTokens, RateLimit
from trunkline.wire.realtime.session import EffectiveSession, FunctionTool

BESIDE_MAX: Final = 16
"""Responses outside the conversation at once; more are refused."""

METADATA_PAIRS_MAX: Final = 16
METADATA_KEY_CHARS_MAX: Final = 64
METADATA_VALUE_CHARS_MAX: Final = 512

MS_PER_TOKEN: Final = 50
RESET_S_LOW: Final = 30.0
"""`reset_seconds` when few tokens are left."""


class Responses:
    """The responses of one session."""

    def __init__(
        self,
        options: RealtimeSimOptions,
        brain: Brain,
        speech: Speech,
        faults: Faults,
        ids: Ids,
        conversation: Conversation,
        record: SessionRecord,
    ) -> None:
        self._options, self._brain, self._speech, self._faults = options, brain, speech, faults
        self._ids, self._conversation, self._record = ids, conversation, record
        self.active: Speaking | None = None
        self._beside: list[Speaking] = []
        self._cached = 0
        self.last_audio_ms = 0
        """Audio of the response that ended last."""
        self.spoken = False
        """Whether any audio was sent: from then on the voice is frozen."""

    def deadline(self) -> float | None:
        """When the next event is due."""
        if not self._beside:  # The usual case.
            return None if self.active is None else self.active.deadline()
        dues = [due for each in self._all() if (due := each.deadline()) is not None]
        return min(dues, default=None)

    def forget_cache(self) -> None:
        """What the context begins with has changed: nothing of it is cached."""
        self._cached = 0

    def start(
        self, why: Why, session: EffectiveSession, wish: ResponseOptions, now: float
    ) -> list[server.ToClient]:
        """Begin a response. A second one in the conversation raises."""
        outside = wish.conversation == "none"
        if self.active is not None and not outside:
            raise ModelProtocolError(
                f"Conversation already has an active response in progress: {self.active.id}.",
                "conversation_already_has_active_response",
            )
        if len(self._beside) >= BESIDE_MAX:
            raise ModelProtocolError("Too many responses at once.", "rate_limit_exceeded")
        _check_wish(wish)
        plan = self._plan(why, session, wish, now)
        speaking = Speaking(plan, self._ids, self._conversation, self._record, now)
        if outside:
            self._beside.append(speaking)
        else:
            self.active = speaking
        return [
            server.ResponseCreated(speaking.created(), self._ids.event()),
            self._rate_limits(plan.context, now),
            *self.advance(now),
        ]

    def advance(self, now: float) -> list[server.ToClient]:
        """All events that are due."""
        events: list[server.ToClient] = []
        if self.active is None and not self._beside:
            return events
        for each in self._all():
            events += each.advance(now)
            self._settle(each)
        return events

    def cancel(
        self, reason: str, now: float, response_id: object = UNSET, *, late_delta: bool = False
    ) -> list[server.ToClient]:
        """End the active response, or the one named. None such raises."""
        for each in self._all():
            if each.id == response_id or (response_id is UNSET and each is self.active):
                events = each.cancel(reason, now, late_delta=late_delta)
                self._settle(each)
                return events
        raise ModelProtocolError(
            "Cancellation failed: no active response found.", "response_cancel_not_active"
        )

    def _all(self) -> list[Speaking]:
        return [*([self.active] if self.active else []), *self._beside]

    def _settle(self, speaking: Speaking) -> None:
        self.spoken = self.spoken or speaking.audio_ms > 0
        if speaking.status == "in_progress":
            return
        if speaking is self.active:
            self.active = None
            self.last_audio_ms = speaking.audio_ms
            self._cached = sum(self._conversation.tokens())
        else:
            self._beside.remove(speaking)

    def _plan(self, why: Why, session: EffectiveSession, wish: ResponseOptions, now: float) -> Plan:
        options, faults = self._options, self._faults
        modalities = wish.output_modalities or session.output_modalities
        text_mode = modalities == ["text"]
        reply = self._reply(why, session, wish, now)
        fail, message = faults.take("fail_response", now), ""
        audio_of: dict[str, bytes] = {}
        try:
            if not text_mode:
                audio_of = {
                    part.text: self._speech.speak(part.text)
                    for part in reply
                    if isinstance(part, Say)
                }
        except UnknownWordError as error:
            fail, message = "server_error", f"the brain said what can't be spoken: {error}"
        think_s = faults.take_number("think", now)
        limit = session.max_output_tokens
        if wish.max_output_tokens is not UNSET:
            limit = wish.max_output_tokens
        return Plan(
            reply=reply,
            audio_of=audio_of,
            text_mode=text_mode,
            in_conversation=wish.conversation != "none",
            speed=options.speed,
            delta_ms=options.delta_ms,
            think_s=options.think_ms / 1000 if think_s is None else think_s,
            context=self._context(session),
            metadata=wish.metadata or None,
            audio_ms_max=limit * MS_PER_TOKEN if isinstance(limit, int) else None,
            fail=fail,
            fail_message=message,
            incomplete=faults.take("incomplete", now),
            cut_arguments=any(isinstance(part, Call) for part in reply)
            and faults.take("cut_arguments", now) is not None,
            hang=faults.take("stall_response", now) is not None,
        )

    def _reply(
        self, why: Why, session: EffectiveSession, wish: ResponseOptions, now: float
    ) -> Reply:
        choice = wish.tool_choice or session.tool_choice
        tools: list[FunctionTool] = session.tools if wish.tools is UNSET else wish.tools or []
        entries = self._conversation.entries
        ask = Ask(
            why,
            heard=self._heard(),
            asked=wish.instructions or "",
            instructions=session.instructions,
            tools=() if choice == "none" else tuple(tools),
            items=tuple(entry.item for entry in entries),
        )
        reply = self._brain.answer(ask)
        assert reply, "a brain answers with something"
        if choice == "required" and tools and not any(isinstance(part, Call) for part in reply):
            reply = (*reply, Call(tools[0].name, arguments_for(tools[0], ask.heard)))
        first = reply[0]
        if isinstance(first, Say) and self._faults.take("several_items", now) is not None:
            reply = (Say("one moment please"), *reply)
        return reply

    def _heard(self) -> str:
        """What the caller said since anything else stood in the conversation."""
        texts: list[str] = []
        for entry in reversed(self._conversation.entries):
            match entry.item:
                case Message(role="user", content=content):
                    texts.append(entry.text or " ".join(text_of(part) for part in content))
                case Message(role="system"):
                    continue
                case _:
                    break
        return " ".join(text for text in reversed(texts) if text)

    def _context(self, session: EffectiveSession) -> InputTokens:
        text, audio = self._conversation.tokens()
        text += text_tokens(session.instructions)
        text += sum(text_tokens(tool.name + tool.description) for tool in session.tools)
        return InputTokens(text, audio, min(self._cached, text + audio))

    def _rate_limits(self, context: InputTokens, now: float) -> server.RateLimitsUpdated:
        limit = self._options.tokens_per_minute
        left = self._faults.take_number("rate_limit_remaining", now)
        used = context.text_tokens + context.audio_tokens
        reset_s = RESET_S_LOW if left is not None else round(used * 60 / limit, 3)
        remaining = max(0, limit - used) if left is None else math.floor(left)
        return server.RateLimitsUpdated(
            [RateLimit("tokens", limit, remaining, reset_s)], self._ids.event()
        )


def _check_wish(wish: ResponseOptions) -> None:
    rules.check_modalities(wish.output_modalities, "response.output_modalities")
    rules.check_tokens(wish.max_output_tokens, "response.max_output_tokens")
    rules.check_tools(wish.tools, "response.tools")
    pairs = wish.metadata or {}
    if len(pairs) > METADATA_PAIRS_MAX or any(
        len(key) > METADATA_KEY_CHARS_MAX or len(value) > METADATA_VALUE_CHARS_MAX
        for key, value in pairs.items()
    ):
        raise ModelProtocolError(
            f"At most {METADATA_PAIRS_MAX} pairs of {METADATA_KEY_CHARS_MAX} and "
            f"{METADATA_VALUE_CHARS_MAX} characters.",
            "invalid_value",
            "response.metadata",
        )
