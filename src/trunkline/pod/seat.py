"""The model's seat in a call: the session that sits there, and the search for the next one."""

from collections.abc import Callable, Sequence
from typing import Final

from trunkline.call.actions import MeterLimit, MeterUse, OpenModel
from trunkline.call.events import Event, ModelAway, ModelLost, ModelOpened
from trunkline.errors import ModelProtocolError
from trunkline.pod.search import Found, Search
from trunkline.pod.surroundings import JITTER, SessionDoor
from trunkline.ports import ModelSession
from trunkline.telemetry.metrics import Metrics
from trunkline.wire.realtime import client, server

REFUSED_MODEL_MESSAGES_MAX: Final = 100
"""Messages of one session that were no messages; at the next the session counts as lost."""


class ModelSeat:
    """A call's sessions, one after another; `doors` lead to its agent's models, in their order.

    The first search begins at the place `first`. `on_seated` is told the place of each session.
    """

    def __init__(
        self,
        doors: Sequence[SessionDoor],
        metrics: Metrics,
        feed: Callable[[Event], None],
        *,
        first: int = 0,
        on_seated: Callable[[int], None] = lambda _: None,
        jitter: Callable[[], float] = JITTER,
    ) -> None:
        self._doors = doors
        self._metrics = metrics
        self._to_model_timed = metrics.timed_to_model
        self._to_caller_timed = metrics.timed_to_caller
        self._feed = feed
        self._on_seated = on_seated
        self._jitter = jitter
        self._session: ModelSession | None = None
        self.name = ""
        """The present session's model; the last one's while there is none."""
        self._place = first
        """Of the present session's model in the list; of the last one's while there is none."""
        self._next: Found | None = None
        """Opened, and not taken yet."""
        self._refused_messages = 0

    def send(self, event: client.FromClient) -> None:
        """Write to the session; never waits. Without one it is swallowed."""
        if isinstance(event, client.AppendAudio):
            self.hear(event)
        elif self._session is not None:
            self._session.send(client.encode(event))

    def hear(self, audio: client.FromClient) -> None:
        """Write the caller's audio, or drop it where the model is behind with its reading."""
        session = self._session
        if session is None:
            return
        if not session.send_audio(client.encode(audio)):
            self._metrics.frames_dropped_to_model += 1
        elif self._to_model_timed.running:
            self._to_model_timed.written()

    async def search(self, order: OpenModel) -> None:
        """Look for a session until one is had; `ModelOpened` is fed then."""
        search = Search(
            self._doors,
            first=self._place + order.skip,
            on_exhausted=lambda reason: self._feed(ModelAway(reason)),
            jitter=self._jitter,
        )
        found = await search.run(order.pause_s)
        self._let_go_of_next()
        self._next = found
        acquired = found.acquired
        self._feed(ModelOpened(acquired.source, acquired.model, acquired.waited_ms, acquired.age_s))

    def take(self) -> None:
        """The session that was opened last sits down; one before it leaves."""
        found, self._next = self._next, None
        assert found is not None, "it was opened, and the call told so"
        self.drop()
        self._session, self._place = found.acquired.session, found.place
        self.name = found.acquired.model
        self._refused_messages = 0
        self._on_seated(found.place)
        self._session.listen(self._to_caller_timed.timing(self._heard), self._lost)

    def drop(self) -> None:
        """The session leaves. It has had this caller's settings: nobody else may have it."""
        session, self._session = self._session, None
        if session is not None:
            self._doors[self._place].release(session, clean=False)

    def blame(self, reason: str, begun_at: float) -> None:
        """The present model, or the last one, failed this call."""
        self._doors[self._place].blame(reason, begun_at)

    def meter(self, word: MeterLimit | MeterUse) -> None:
        """What the present model says of its tokens is its door's to know."""
        door = self._doors[self._place]
        match word:
            case MeterLimit():
                door.tokens_told(word.limit, word.remaining, word.reset_s)
            case MeterUse():
                door.tokens_used(word.tokens, word.apart_s)

    def leave(self) -> None:
        """The call is over."""
        self.drop()
        self._let_go_of_next()

    def _let_go_of_next(self) -> None:
        found, self._next = self._next, None
        if found is not None:
            self._doors[found.place].release(found.acquired.session, clean=True)

    def _heard(self, text: memoryview) -> None:
        try:
            event = server.decode(text)
        except ModelProtocolError:
            self._metrics.model_message_refused("protocol")
            self._refused_messages += 1
            if self._refused_messages > REFUSED_MODEL_MESSAGES_MAX:
                self._lost("refused_messages")
            return
        self._feed(event)

    def _lost(self, reason: str) -> None:
        if self._session is not None:  # Else we gave it back: its end is our doing.
            self.drop()
            self._feed(ModelLost(reason))
