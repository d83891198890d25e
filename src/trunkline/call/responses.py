"""The model's responses: one at a time, and the wish for the next.

A response begins because we asked for it or because the model's own voice detection began it.
A wish is kept until none is under way; several become one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from trunkline.call.recent import Recent

RETRY_S: Final = 0.5
RETRY_S_MAX: Final = 2.0
"""After a failed or refused response, so long until it is asked for again; doubles."""

RETRIES_MAX: Final = 2
"""In a row; the next failure is the model's."""

ASKED_S_MAX: Final = 1.5
"""A `response.create` that nothing answers for so long: the session is dead."""

STALL_S_MAX: Final = 15.0
"""A response without any event for so long is dead, and its session with it; models that reason
are silent for a while."""

RESPONSES_REMEMBERED: Final = 64
"""Ids of responses that began or were cut short; what arrives late for one is told by it."""

OUTPUTS_UNSEEN_MAX: Final = 64
"""Items of ours that the model did not acknowledge yet; the oldest is taken as seen."""


class ResponseState(StrEnum):
    """Whether a response is under way."""

    NONE = "none"
    ASKED = "asked"
    """`response.create` was sent and nothing came of it yet."""
    ACTIVE = "active"


RESPONSE_NEXT: Final[Mapping[ResponseState, Mapping[ResponseState, str]]] = MappingProxyType(
    {
        ResponseState.NONE: {
            ResponseState.ASKED: "a wish, and the caller is not speaking",
            ResponseState.ACTIVE: "the model began by itself",
        },
        ResponseState.ASKED: {
            ResponseState.ACTIVE: "response.created",
            ResponseState.NONE: "refused, or done at once",
        },
        ResponseState.ACTIVE: {
            ResponseState.ACTIVE: "another response.created",
            ResponseState.NONE: "response.done",
        },
    }
)


# Asked for after every event: a global costs a fifth of an enum's member (Python 3.11).
_NONE: Final = ResponseState.NONE


@dataclass(frozen=True, slots=True)
class Wish:
    """Let the model speak.

    `order` is said to it for this response alone; empty: it goes on as it is told anyway.
    `must`: it is the last word, which nothing else replaces.
    """

    order: str = ""
    must: bool = False


class Responses:
    """What is under way, what is wished for, and what was cut short."""

    __slots__ = (
        "_asked",
        "_count",
        "_known",
        "_not_before",
        "_state",
        "_unseen",
        "active",
        "failures",
        "interrupted",
        "spoke",
        "touched",
        "wish",
    )

    def __init__(self) -> None:
        self._state = ResponseState.NONE
        self._asked: Wish | None = None
        self._count = 0
        self._known = Recent(RESPONSES_REMEMBERED)
        self._not_before = 0.0
        self._unseen = Recent(OUTPUTS_UNSEEN_MAX)
        self.active: str | None = None
        """The response under way, once it has a name."""
        self.failures = 0
        """In a row."""
        self.interrupted = Recent(RESPONSES_REMEMBERED)
        """Responses of which nothing more is wanted."""
        self.spoke = False
        """The active response brought audio."""
        self.touched = 0.0
        """When the response under way last gave a sign of life."""
        self.wish: Wish | None = None

    @property
    def state(self) -> ResponseState:
        """Whether a response is under way."""
        return self._state

    @property
    def stalls_at(self) -> float | None:
        """When what is under way is taken for dead, unless it gives a sign of life before."""
        state = self._state
        if state is _NONE:
            return None
        return self.touched + (ASKED_S_MAX if state is ResponseState.ASKED else STALL_S_MAX)

    @property
    def quiet(self) -> bool:
        """Nothing is under way and nothing is wished for."""
        return self._state is _NONE and self.wish is None

    def want(self, order: str = "", *, must: bool = False) -> None:
        """Wish for a response. Of several wishes the last order counts, but a `must` stays."""
        old = self.wish
        if old is not None and old.must and not must:
            return
        self.wish = Wish(order or (old.order if old else ""), must)

    def drop_wish(self) -> None:
        """Wish for nothing any more; what is under way goes on."""
        self.wish = None
        self._asked = None

    def hold(self, until: float) -> None:
        """Ask for nothing until then: the model is about to begin by itself."""
        self._not_before = max(self._not_before, until)

    def retry_at(self, now: float) -> float | None:
        """When a wish that must wait may be asked for; None: it need not, or there is none."""
        waits = self._state is _NONE and self.wish and self._not_before > now
        return self._not_before if waits else None

    def may_ask(self, now: float) -> bool:
        """There is a wish and nothing in its way."""
        waiting = self._state is _NONE and self.wish is not None
        return waiting and self._not_before <= now

    def ask(self, now: float) -> tuple[str, Wish]:
        """Turn the wish into a `response.create`: its event id, and what to say in it."""
        assert self.wish is not None
        self._to(ResponseState.ASKED)
        self._asked, self.wish = self.wish, None
        self._count += 1
        self.touched = now
        return self._event_id(), self._asked

    def sent_item(self, item_id: str) -> None:
        """An item of ours went to the model, which may not have seen it yet."""
        self._unseen.add(item_id)

    def saw_item(self, item_id: str) -> None:
        """The model acknowledged an item."""
        self._unseen.discard(item_id)

    def created(self, response_id: str, now: float) -> bool:
        """A response began; True if we had asked for it.

        One that the model began by itself answers what we wished an answer for, provided that
        all our items were seen before.
        """
        if not self._known.add(response_id):
            return False
        ours = self._state is ResponseState.ASKED
        if not ours:
            self._asked = None
            if self.wish and not self.wish.must and not len(self._unseen):
                self.wish = None
        self._to(ResponseState.ACTIVE)
        self._not_before = now
        self.active, self.spoke, self.touched = response_id, False, now
        return ours

    def done(self, response_id: str) -> bool:
        """A response is over; False if it was not the one under way."""
        unnamed = self._state is ResponseState.ASKED and self._known.add(response_id)
        if not unnamed and response_id != self.active:
            return False
        self._to(ResponseState.NONE)
        self.active = None
        return True

    def over(self, *, completed: bool) -> None:
        """The response that is over did not fail: what it was asked for is settled."""
        self._asked = None
        if completed:
            self.failures = 0

    def failed(self, now: float) -> bool:
        """The response that is over failed: wish for it again, a little later.

        False if that was the last time.
        """
        self.failures += 1
        self._wish_again(now)
        return self.failures <= RETRIES_MAX

    def is_ours(self, event_id: str | None) -> bool:
        """Whether an error answers our latest `response.create`, and it is not settled."""
        return self._asked is not None and event_id == self._event_id()

    def refused(self, now: float, *, busy: bool) -> bool:
        """Our `response.create` was not accepted: wish for it again, a little later.

        `busy`: since another response is under way, which is no failure. False if it failed for
        the last time.
        """
        self.failures += not busy
        self._wish_again(now)
        if self._state is ResponseState.ASKED:
            self._to(ResponseState.NONE)
        return self.failures <= RETRIES_MAX

    def interrupt(self) -> str | None:
        """Want nothing more of the active response: its id, if that is news."""
        if self.active is None or not self.interrupted.add(self.active):
            return None
        return self.active

    def size(self) -> int:
        """How many entries all tables hold together, for tests that nothing grows."""
        return len(self._known) + len(self.interrupted) + len(self._unseen)

    def _wish_again(self, now: float) -> None:
        again = self._asked or Wish()
        self._asked = None
        self.want(again.order if self.wish is None or again.must else "", must=again.must)
        doublings = min(max(self.failures - 1, 0), 8)
        self._not_before = now + min(RETRY_S * 2**doublings, RETRY_S_MAX)

    def _event_id(self) -> str:
        return f"response_{self._count}"

    def _to(self, state: ResponseState) -> None:
        assert state in RESPONSE_NEXT[self._state], f"{self._state} to {state}"
        self._state = state
