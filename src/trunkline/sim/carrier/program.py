"""A TwiML document and where its run stands; and what each verb asks of the call.

`begin` is a table in code: one verb in, one thing to do out. It decides; `call` does it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

from trunkline.sim.carrier.account import Account
from trunkline.wire import twiml_reading as twiml

SAY_S_A_CHARACTER: Final = 0.06
"""Speech made by the carrier: about 160 words a minute."""

TONE_S: Final = 0.25
WAIT_S: Final = 0.5
"""`w` among the digits of a `<Play>`."""

ENDLESS_S: Final = 4 * 3600.0
"""`loop="0"`: until the call's longest duration."""


@dataclass(frozen=True, slots=True)
class NextVerb:
    """Go on in the document."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Another document takes over. No URL: the document's own address."""

    url: str | None = field(repr=False)
    method: str
    extra: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """The call ends."""

    status: str
    by: str


Then = NextVerb | Ask | End


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass, then go on."""

    for_s: float
    then: Then
    answers: bool = True
    told: str = field(default="", repr=False)
    """Words that the carrier itself speaks meanwhile."""
    dialled: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Collect:
    """Wait for keys."""

    gather: twiml.Gather
    prompt_s: float
    told: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Carry:
    """Open a stream, and wait for its end."""

    connect: twiml.Connect


Doing = Wait | Collect | Carry


class Program:
    """The run of one document."""

    def __init__(
        self, verbs: Sequence[twiml.Verb], base_url: str | None, warnings: Sequence[str] = ()
    ) -> None:
        self._verbs = tuple(verbs)
        self._next = 0
        self.warnings = tuple(warnings)
        self.base_url = base_url
        """Where the document came from; None for a document given inline."""

    @property
    def is_first(self) -> bool:
        """Whether the verb taken last was the document's first."""
        return self._next == 1

    @property
    def has_more(self) -> bool:
        """Whether a verb is left."""
        return self._next < len(self._verbs)

    def take(self) -> twiml.Verb | None:
        """The next verb; None at the end of the document."""
        if self._next >= len(self._verbs):
            return None
        self._next += 1
        return self._verbs[self._next - 1]

    def resolve(self, url: str | None) -> str | None:
        """An absolute URL; None where there is nothing to lean a relative one on (15004)."""
        if url is None:
            return self.base_url
        if urlsplit(url).scheme:
            return url
        return None if self.base_url is None else urljoin(self.base_url, url)


def begin(verb: twiml.Verb, account: Account, *, first: bool, answered: bool) -> Doing:
    """What a verb asks of the call."""
    match verb:
        case twiml.Connect():
            return Carry(verb)
        case twiml.Redirect():
            return Wait(0, Ask(verb.url, verb.method), answers=False)
        case twiml.Pause():
            # As first verb it delays answering: the line rings on.
            return Wait(verb.length_s, NextVerb(), answers=not first)
        case twiml.Say() | twiml.Play():
            return Wait(_length_s(verb, account), NextVerb(), told=_words(verb))
        case twiml.Dial():
            return _dial(verb, account)
        case twiml.Enqueue():
            result = (("QueueResult", "bridged"), ("QueueTime", str(round(account.enqueue_wait_s))))
            return Wait(
                account.enqueue_wait_s, _then(verb.action, verb.method, result),
                dialled=(f"queue:{verb.queue}",),
            )  # fmt: skip
        case twiml.Hangup():
            return Wait(0, End("completed", "agent"))
        case twiml.Reject():
            if answered or not first:  # Too late to reject: the verb is passed over.
                return Wait(0, NextVerb(), answers=False)
            status = "busy" if verb.reason == "busy" else "no-answer"
            return Wait(0, End(status, "agent"), answers=False)
        case twiml.Gather():
            prompts = [(_length_s(prompt, account), _words(prompt)) for prompt in verb.prompts]
            words = " ".join(word for _, word in prompts if word)
            return Collect(verb, sum(length for length, _ in prompts), words)
        case twiml.Record():
            recorded = (
                ("RecordingUrl", "https://api.twilio.com/recordings/simulated"),
                ("RecordingDuration", str(round(account.record_s))),
            )
            return Wait(account.record_s, Ask(verb.action, verb.method, recorded))


def _then(url: str | None, method: str, extra: tuple[tuple[str, str], ...]) -> Then:
    return NextVerb() if url is None else Ask(url, method, extra)


def _dial(verb: twiml.Dial, account: Account) -> Wait:
    dialled = account.dialled
    numbers = tuple(noun.number for noun in verb.numbers)
    if dialled.ends_call:
        length_s = dialled.ring_s + dialled.talk_s
        return Wait(length_s, End("completed", "caller"), dialled=numbers)
    talked = dialled.status in {"completed", "answered"}
    talk_s = min(dialled.talk_s, verb.time_limit_s) if talked else 0.0
    result = (
        ("DialCallStatus", dialled.status),
        ("DialCallDuration", str(round(talk_s))),
    )
    ring_s = min(dialled.ring_s, verb.timeout_s)
    return Wait(ring_s + talk_s, _then(verb.action, verb.method, result), dialled=numbers)


def _words(verb: twiml.Say | twiml.Play | twiml.Pause) -> str:
    return verb.text if isinstance(verb, twiml.Say) else ""


def _length_s(verb: twiml.Say | twiml.Play | twiml.Pause, account: Account) -> float:
    match verb:
        case twiml.Pause():
            return verb.length_s
        case twiml.Say():
            once = len(verb.text) * SAY_S_A_CHARACTER
        case twiml.Play(digits=str() as digits):
            once = sum(WAIT_S if digit in "wW" else TONE_S for digit in digits)
        case twiml.Play():
            once = account.play_s
    return once * verb.loop if verb.loop else ENDLESS_S
