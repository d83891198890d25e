"""The model's function calls: ordered from the pod, done here, or refused; each is answered."""

from base64 import b64encode
from typing import Final, assert_never

from msgspec import UNSET

from trunkline.call import builtin, endings, wording
from trunkline.call.actions import RunTool
from trunkline.call.plan import Tool
from trunkline.call.state import Closing, State
from trunkline.call.tools import ARGUMENTS_CHARS_MAX, bounded, read_arguments
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire import g711
from trunkline.wire.realtime import client
from trunkline.wire.realtime.items import FunctionCall, FunctionCallOutput, InputText, Message
from trunkline.wire.realtime.session import Session

END_CALL: Final = "end_call"
"""Why a call ended that the agent ended; the model's own reason stands in the tool's record."""


def called(s: State, item: FunctionCall, response_id: str) -> None:
    """The model calls a tool. Each call is taken once, and run only if it is whole."""
    call_id = item.call_id
    whole = item.status == "completed"
    if not whole:
        s.unexpected("incomplete_call")
        if response_id in s.responses.interrupted:
            return  # The caller broke in: the model answers them, and calls again if it must.
    if call_id is UNSET:
        s.responses.want()
        return
    if not s.tools.take(call_id):
        s.unexpected("call_again")
        return
    s.record(facts.ToolCalled(call_id, item.name, item.arguments[:ARGUMENTS_CHARS_MAX]))
    tool = s.agent.tools.get(item.name)
    arguments = read_arguments(item.arguments)
    call = _Call(call_id, item.name, response_id)
    if not whole:
        call.answer(s, ok=False, output=wording.CUT_OFF)
    elif tool is None:
        call.answer(s, ok=False, output=wording.UNKNOWN_TOOL)
    elif arguments is None:
        call.answer(s, ok=False, output=wording.BAD_ARGUMENTS)
    elif tool.kind in builtin.KINDS:
        _obey(s, call, builtin.read_order(tool.kind, arguments, s.agent))
    elif s.tools.full:
        call.answer(s, ok=False, output=wording.TOO_MANY_TOOLS)
    else:
        _run(s, call, tool, item.arguments)


def returned(s: State, call_id: str, *, ok: bool, output: str) -> None:
    """A tool of the pod's has finished."""
    running = s.tools.returned(call_id)
    if running is None:
        s.unexpected("tool_returned")
        return
    took_ms = round(1000 * (s.now - running.started_at))
    call = _Call(call_id, running.name, running.response_id)
    if running.detached:
        call.answer_late(s, ok=ok, output=output, took_ms=took_ms)
    else:
        call.answer(s, ok=ok, output=output, took_ms=took_ms)


def hand_back(s: State) -> None:
    """The model refused the new agent's settings: the agent before goes on."""
    assert s.handing is not None
    _, former = s.handing
    s.handing = None
    s.record(facts.HandedOff(s.agent.name, former))
    s.agent = s.plan.agents[former]


class _Call:
    """One function call, as its answer needs it."""

    __slots__ = ("call_id", "name", "response_id")

    def __init__(self, call_id: str, name: str, response_id: str) -> None:
        self.call_id = call_id
        self.name = name
        self.response_id = response_id

    def answer(self, s: State, *, ok: bool, output: str, took_ms: int = 0) -> None:
        """Tell the model what came of it, and write it down."""
        output = bounded(output)
        s.record(facts.ToolFinished(self.call_id, self.name, ok=ok, output=output, took_ms=took_ms))
        s.create_item(FunctionCallOutput(self.call_id, output, id=s.item_id()))
        s.tools.answered(self.response_id)

    def answer_late(self, s: State, *, ok: bool, output: str, took_ms: int) -> None:
        """The session that called is gone: the present one was told that a result would follow."""
        output = bounded(output)
        s.record(facts.ToolFinished(self.call_id, self.name, ok=ok, output=output, took_ms=took_ms))
        if s.closing is not None:
            return
        if s.conversing:
            text = wording.late_result(self.name, output)
            s.create_item(Message("system", [InputText(text)], s.item_id()))
            s.responses.want()
        else:
            s.debt = True  # It is in the history that the next session is told.


def _run(s: State, call: _Call, tool: Tool, arguments: str) -> None:
    s.tools.start(call.call_id, tool, call.response_id, s.now)
    s.do(RunTool(call.call_id, tool.name, arguments))


def _obey(s: State, call: _Call, order: builtin.Order) -> None:
    """Do what a built-in tool asks for."""
    final = isinstance(order, builtin.SayGoodbye | builtin.Transfer)
    if s.closing is not None:
        order = builtin.Refusal(wording.ALREADY_ENDING)
    elif final and (s.speaking or call.response_id in s.responses.interrupted):
        order = builtin.Refusal(wording.NOT_ENDING)
    match order:
        case builtin.Refusal():
            call.answer(s, ok=False, output=order.text)
        case builtin.SayGoodbye():
            call.answer(s, ok=True, output=wording.ENDING)
            goodbye = Closing(
                Outcome.AGENT_ENDED,
                END_CALL,
                wording.SAY_GOODBYE,
                call.response_id,
                cancelable=True,
            )
            _close(s, goodbye)
        case builtin.Transfer():
            call.answer(s, ok=True, output=wording.TRANSFERRING)
            announcement = Closing(
                Outcome.TRANSFERRED,
                order.target,
                wording.ANNOUNCE_TRANSFER,
                call.response_id,
                number=order.number,
            )
            _close(s, announcement)
        case builtin.HandOff():
            _hand_over(s, order.agent)
            call.answer(s, ok=True, output=wording.HANDED_OFF)
        case builtin.SendDigits():
            s.record(facts.DigitsSent(order.digits))
            s.do(*s.voice.clip(b64encode(g711.dtmf(order.digits)).decode(), s.now))
            call.answer(s, ok=True, output=wording.DIGITS_PLAYED)
        case _:
            assert_never(order)


def _close(s: State, closing: Closing) -> None:
    endings.close(s, closing)
    if closing.response_id != s.responses.active:
        # Out of order: its response is over, and nobody knows any more whether it spoke.
        s.responses.want(closing.order, must=True)


def _hand_over(s: State, name: str) -> None:
    """Another agent goes on in the same session: the voice stays, what it is told changes."""
    former, s.agent = s.agent, s.plan.agents[name]
    told = s.agent.session
    update = Session(
        instructions="" if told.instructions is UNSET else told.instructions,
        tools=[] if told.tools is UNSET else told.tools,
    )
    event_id = f"handoff_{s.item_id()}"
    s.handing = (event_id, former.name)
    s.tell(client.SessionUpdate(update, event_id))
    s.record(facts.HandedOff(former.name, name))
    if s.agent.greeting:
        s.responses.want(wording.greeting(s.agent.greeting))
