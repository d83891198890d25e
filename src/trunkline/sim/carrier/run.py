"""The run of TwiML documents in one call: verbs in, orders for the call out.

It decides what comes next; the call answers, waits, asks, opens streams and ends.
"""

from dataclasses import dataclass, field
from typing import Final

from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.keys import Keys
from trunkline.sim.carrier.program import (
    Ask,
    Carry,
    Collect,
    End,
    NextVerb,
    Program,
    Then,
    Wait,
    begin,
)
from trunkline.wire import twiml_reading as twiml

VERBS_AT_ONCE_MAX: Final = 200
"""Verbs run without time passing; beyond it the call fails: no real document has so many."""

NOT_ABSOLUTE: Final = 15004
"""A relative URL in a document that has no address of its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the call, if it still rings."""


@dataclass(frozen=True, slots=True)
class Speak:
    """The carrier's own voice speaks."""

    words: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HandOver:
    """The caller is handed to other people."""

    to: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sleep:
    """Come back (`woke`) after so long."""

    for_s: float


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask for a document."""

    url: str = field(repr=False)
    method: str
    extra: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stream:
    """Open a stream; its end comes back as `stream_is_over`."""

    noun: twiml.StreamNoun
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finish:
    """End the call."""

    status: str
    by: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The document can't be run: Twilio's code and why."""

    code: int
    reason: str


Order = Answer | Speak | HandOver | Sleep | Fetch | Stream | Finish | Broken


class Run:
    """Where the call's document stands."""

    def __init__(self, account: Account) -> None:
        self.is_answered = False
        self._account = account
        self._program = Program((), None)
        self._then: Then | None = NextVerb()  # None: the stream's end is to be followed.
        self._keys: Keys | None = None
        self._connect: twiml.Connect | None = None
        self._gather: twiml.Gather | None = None
        self.verb = ""
        """The verb that runs, for people to read."""

    @property
    def has_more(self) -> bool:
        """Whether anything follows the stream."""
        action = None if self._connect is None else self._connect.action
        return action is not None or self._program.has_more

    def begin(self, program: Program) -> list[Order]:
        """Another document takes over."""
        self._program = program
        self._connect = None
        self._gather = None
        self._keys = None
        return self._go_on()

    def woke(self) -> list[Order]:
        """The time of the present verb is over."""
        if self._keys is not None:
            return self._collected()
        if self._then is not None:
            return self._follow(self._then)
        return self._after_stream()

    def stream_is_over(self) -> None:
        """The document's stream has ended: `woke` goes on from there."""
        self._then = None

    def give_up(self) -> None:
        """The document's stream has ended and with it the call: `woke` ends it."""
        self._then = End("completed", "carrier")

    def apologize(self, words: str, for_s: float) -> list[Order]:
        """No document can be run: an error is spoken, and the call ends."""
        self._keys, self._gather = None, None
        self._then = End("completed", "carrier")
        self.verb = "error"
        return [Speak(words), Sleep(for_s)]

    def _after_stream(self) -> list[Order]:
        """`action` is asked, or the next verb runs."""
        connect, self._connect = self._connect, None
        if connect is None or connect.action is None:
            return self._go_on()
        return self._follow(Ask(connect.action, connect.method))

    def pressed(self, digit: str) -> list[Order] | None:
        """A key, while no stream takes it; None where nobody waits for keys."""
        if self._keys is None or self._gather is None:
            return None
        if self._keys.press(digit):
            return self._collected()
        return [Sleep(self._gather.timeout_s)]

    def _collected(self) -> list[Order]:
        assert self._keys is not None
        assert self._gather is not None
        result, gather = self._keys.result, self._gather
        self._keys, self._gather = None, None
        if result is None:
            return self._go_on()
        return self._follow(Ask(gather.action, gather.method, result))

    def _follow(self, then: Then) -> list[Order]:
        match then:
            case NextVerb():
                return self._go_on()
            case End():
                return [Finish(then.status, then.by)]
            case Ask():
                url = self._program.resolve(then.url)
                if url is None:
                    return [Broken(NOT_ABSOLUTE, "a relative URL in an inline document")]
                return [Fetch(url, then.method, then.extra)]

    def _go_on(self) -> list[Order]:
        """Run verbs until one of them takes time."""
        orders: list[Order] = []
        for _ in range(VERBS_AT_ONCE_MAX):
            verb = self._program.take()
            if verb is None:
                self.verb = "end"
                # A document that says nothing, or nothing more, ends the call.
                return [*orders, Answer(), Finish("completed", "agent")]
            self.verb = type(verb).__name__.lower()
            doing = begin(
                verb, self._account, first=self._program.is_first, answered=self.is_answered
            )
            match doing:
                case Carry():
                    return orders + self._carry(doing.connect)
                case Collect():
                    self._keys, self._gather = Keys(doing.gather), doing.gather
                    orders += [Answer(), *self._voice(doing.told)]
                    return [*orders, Sleep(doing.prompt_s + doing.gather.timeout_s)]
                case Wait():
                    orders += [Answer()] if doing.answers else []
                    orders += self._voice(doing.told)
                    orders += [HandOver(doing.dialled)] if doing.dialled else []
                    if doing.for_s > 0:
                        self._then = doing.then
                        return [*orders, Sleep(doing.for_s)]
                    if not isinstance(doing.then, NextVerb):
                        return orders + self._follow(doing.then)
        return [*orders, Broken(12100, "too many verbs at once")]

    def _carry(self, connect: twiml.Connect) -> list[Order]:
        url = self._program.resolve(connect.stream.url)
        if url is None:
            return [Answer(), Broken(NOT_ABSOLUTE, "a relative stream URL")]
        self._connect = connect
        return [Answer(), Stream(connect.stream, url)]

    def _voice(self, words: str) -> list[Order]:
        return [Speak(words)] if words else []
