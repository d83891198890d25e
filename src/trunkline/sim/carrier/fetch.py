"""Asking for documents: which answer counts, and what is wrong with it.

Only the newest question counts: an answer to an older one is thrown away, as is the answer to
a doubled request unless the fault says that it shall be obeyed.
"""

from dataclasses import dataclass, field
from http import HTTPStatus

from trunkline.errors import CarrierProtocolError
from trunkline.sim.carrier.events import Action, Request, WebhookAnswered, WebhookFailed
from trunkline.sim.carrier.outbox import Outbox
from trunkline.sim.carrier.program import Program
from trunkline.wire import twiml_reading as twiml
from trunkline.wire.webhooks import Form


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document came, `took_s` after the question."""

    program: Program
    took_s: float
    is_copy: bool = False


@dataclass(frozen=True, slots=True)
class NotFetched:
    """No usable document came: Twilio's code, and whether the fallback URL failed with it."""

    code: int
    reason: str
    url: str = field(repr=False)
    was_fallback: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    url: str
    at: float
    is_fallback: bool
    request: Request


class Fetcher:
    """The questions of one call. At most one is open, with at most one double."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._open: _Asked | None = None
        self._copy: _Asked | None = None
        self._first: Request | None = None
        self._first_answer: bytes | None = None
        self.failures: list[tuple[float, NotFetched]] = []
        """Questions without a usable answer, and when that showed; doubles aside."""
        self.copies_differed = 0
        """Doubled requests whose answers were not the same."""

    @property
    def is_open(self) -> bool:
        """Whether an answer is awaited."""
        return self._open is not None

    def ask(
        self, url: str, method: str, form: Form, now: float, *, is_fallback: bool = False
    ) -> Request:
        """Ask for a document."""
        request = self._outbox.webhook(url, method, form)
        if self._first is None:
            self._first = request
        self._open = _Asked(url.partition("#")[0], now, is_fallback, request)
        return request

    def ask_again(self, now: float) -> list[Action]:
        """The call's first question once more, with the same idempotency token."""
        if self._first is None:
            return []
        again = self._outbox.again(self._first)
        self._copy = _Asked(again.url, now, is_fallback=False, request=again)
        return [again]

    def forget(self) -> None:
        """No answer counts any more."""
        self._open = None
        self._copy = None

    def receive(
        self, event: WebhookAnswered | WebhookFailed, now: float
    ) -> Fetched | NotFetched | None:
        """What an answer means; None where it does not count."""
        asked = self._open
        if asked is None or event.request != asked.request.request:
            return self._receive_copy(event, now)
        self._open = None
        result = self._read(asked, event, now)
        if isinstance(result, NotFetched):
            self.failures.append((now, result))
        return result

    def _read(
        self, asked: _Asked, event: WebhookAnswered | WebhookFailed, now: float
    ) -> Fetched | NotFetched:
        if isinstance(event, WebhookFailed):
            return NotFetched(11205, event.reason, asked.url, asked.is_fallback)
        if not HTTPStatus.OK <= event.status < HTTPStatus.MULTIPLE_CHOICES:
            return NotFetched(11200, f"HTTP {event.status}", asked.url, asked.is_fallback)
        if asked.request is self._first:
            self._compare(event.body)
        try:
            document = twiml.read(event.body)
        except CarrierProtocolError as error:
            return NotFetched(error.code, str(error), asked.url, asked.is_fallback)
        program = Program(document.verbs, asked.url, document.warnings)
        return Fetched(program, now - asked.at)

    def _compare(self, body: bytes) -> None:
        """The first question and its double shall have one answer, whichever comes first."""
        if self._first_answer is None:
            self._first_answer = body
        elif body != self._first_answer:
            self.copies_differed += 1

    def _receive_copy(self, event: WebhookAnswered | WebhookFailed, now: float) -> Fetched | None:
        asked = self._copy
        if asked is None or event.request != asked.request.request:
            return None
        self._copy = None
        if isinstance(event, WebhookFailed) or event.status != HTTPStatus.OK:
            self.copies_differed += 1
            return None
        self._compare(event.body)
        try:
            document = twiml.read(event.body)
        except CarrierProtocolError:
            return None
        program = Program(document.verbs, asked.url, document.warnings)
        return Fetched(program, now - asked.at, is_copy=True)
