"""The agent's side of the conversation: its items, their words, and how much of each was heard.

An item is recorded once: when it was played to its end, when the caller broke in, or at the end
of the call. Until then its words and its account in the playout are kept; after that only its
name, so that what comes late for it is known and dropped. While it is played it is written down
every second how far: if the pod dies, another one knows.
"""

from dataclasses import dataclass, field
from typing import Final

from trunkline.call.actions import Action, Note, NoteName, Record, ToModel
from trunkline.call.playout import Playout
from trunkline.call.recent import Recent
from trunkline.core import facts
from trunkline.core.redaction import sure_part
from trunkline.wire.g711 import frames, payload_bytes
from trunkline.wire.realtime import client

PAYLOAD_CHARS_MAX: Final = 48_000
"""Base64 in one message to the caller (4.5 s of audio; a multiple of 4, so that each piece is
base64 by itself). A longer stretch is sent in pieces: what Twilio takes at most is not known."""

ITEMS_MAX: Final = 64
"""Items that are not played out yet; what comes for one more is dropped, and counted."""

CLOSED_ITEMS_MAX: Final = 256
"""Names of items that were recorded."""

TEXT_CHARS_MAX: Final = 16_384
"""An item's words (about twenty minutes of speech); the rest is not kept."""

HEARD_EVERY_MS: Final = 1000
"""So much of an item is heard between two facts that say how far it was heard. A pod that is killed
takes so much with it, and the half second to the next mark: the agent then says it again."""

UNSPACED: Final = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0xD7AF))
"""Code points of scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, and the
Chinese, Japanese and Korean blocks. A text in them is cut anywhere."""


def heard_part(text: str, heard_ms: int, audio_ms: int) -> str:
    """The words of a text that fit into the heard part of its audio; a cut word is not heard."""
    if heard_ms <= 0:
        return ""
    if heard_ms >= audio_ms:
        return text
    end = len(text) * heard_ms // audio_ms
    while 0 < end < len(text) and _in_one_word(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip()


def _in_one_word(before: str, after: str) -> bool:
    return not (before.isspace() or after.isspace() or _unspaced(before) or _unspaced(after))


def _unspaced(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in UNSPACED)


@dataclass(slots=True)
class _Item:
    """One of the agent's items: `text` is final when it is set, else the deltas so far."""

    response_id: str
    agent: str
    done: bool = False
    foreign: bool = False
    """Made by a session that is gone: nobody need be told of it."""
    text: str = ""
    deltas: list[str] = field(default_factory=list)
    chars: int = 0
    told_text: str = ""
    told_ms: int = 0
    """What the journal has of its words, and of how far it was heard."""

    def words(self) -> str:
        return self.text or "".join(self.deltas)


@dataclass(slots=True)
class Interruption:
    """What follows from cutting the agent short, in the order it must be sent."""

    to_caller: list[Action] = field(default_factory=list)
    to_model: list[Action] = field(default_factory=list)
    records: list[Action] = field(default_factory=list)
    response_ids: set[str] = field(default_factory=set)
    heard_ms: int | None = None
    """Of the item that was being heard; None where none was cut."""


class Voice:
    """What the agent says in one call."""

    __slots__ = ("_closed", "_items", "playout")

    def __init__(self) -> None:
        self.playout = Playout()
        self._items: dict[str, _Item] = {}
        self._closed = Recent(CLOSED_ITEMS_MAX)

    def audio(
        self, item_id: str, response_id: str, agent: str, delta: str, now: float
    ) -> list[Action]:
        """A stretch of an item's audio came: send it on."""
        if len(delta) > PAYLOAD_CHARS_MAX:
            places = range(0, len(delta), PAYLOAD_CHARS_MAX)
            pieces = [delta[at : at + PAYLOAD_CHARS_MAX] for at in places]
            return [
                action
                for piece in pieces
                for action in self.audio(item_id, response_id, agent, piece, now)
            ]
        if item_id in self._items or self._opened(item_id, response_id, agent):
            return self.playout.send(item_id, delta, now)
        if item_id in self._closed:
            return [Note(NoteName.UNEXPECTED, "audio_of_closed_item")]
        return [Note(NoteName.DROPPED, "caller", float(frames(payload_bytes(delta))))]

    def words(self, item_id: str, response_id: str, agent: str, delta: str) -> None:
        """A few of an item's words came."""
        if item_id in self._items or self._opened(item_id, response_id, agent):
            item = self._items[item_id]
            kept = delta[: TEXT_CHARS_MAX - item.chars]
            if kept:
                item.chars += len(kept)
                item.deltas.append(kept)

    def text(self, item_id: str, response_id: str, agent: str, text: str) -> None:
        """All of an item's words are known."""
        if text and (item_id in self._items or self._opened(item_id, response_id, agent)):
            self._items[item_id].text = text[:TEXT_CHARS_MAX]
            self._items[item_id].deltas.clear()

    def clip(self, payload: str, now: float) -> list[Action]:
        """Play audio of our own behind what is queued."""
        return self.playout.send(None, payload, now) + self.playout.mark()

    def audio_done(self, item_id: str) -> list[Action]:
        """All of an item's audio is here."""
        return self.playout.mark() if item_id in self._items else []

    def item_done(self, item_id: str, now: float) -> list[Action]:
        """Nothing more comes for an item."""
        item = self._items.get(item_id)
        if item is None:
            return []
        item.done = True
        return self.playout.mark() + self.record_played(now)

    def response_done(self, response_id: str, now: float) -> list[Action]:
        """Nothing more comes for a response's items."""
        for item in self._items.values():
            item.done = item.done or item.response_id == response_id
        return self.playout.mark() + self.record_played(now)

    def record_played(self, now: float) -> list[Action]:
        """Record the items that are complete and were played to their ends."""
        played = [
            item_id
            for item_id, item in self._items.items()
            if item.done and self.playout.played(item_id)
        ]
        return [record for item_id in played for record in self._close(item_id, now)]

    def heard_so_far(self, now: float, every_ms: int = HEARD_EVERY_MS) -> list[Action]:
        """Write down how far the items that are being played were heard, if that is news."""
        records: list[Action] = []
        for item_id, item in self._items.items():
            heard = self.playout.heard(item_id, now)
            if heard.heard_ms - item.told_ms < every_ms:
                continue
            item.told_ms = heard.heard_ms
            text = item.text or sure_part("".join(item.deltas))
            news, item.told_text = "" if text == item.told_text else text, text
            records.append(
                Record(
                    facts.AgentHeard(item_id, item.agent, news, heard.received_ms, heard.heard_ms)
                )
            )
        return records

    def close_all(self, now: float) -> list[Action]:
        """Record every item as far as it was heard: the call ends."""
        return [record for item_id in list(self._items) for record in self._close(item_id, now)]

    def interrupt(self, streaming: str | None, now: float) -> Interruption:
        """Cut the agent short: drop what is unplayed, tell the model what was heard.

        `streaming` is the response that may still be sending. With nothing unplayed only its
        unfinished items are cut, at what was received: what the model still sends of them is
        dropped.
        """
        cut = Interruption()
        unplayed_ms = self.playout.unplayed_ms(now)
        for item_id, item in list(self._items.items()):
            if unplayed_ms or (item.response_id == streaming and not item.done):
                self._cut(item_id, item, cut, unplayed_ms, now)
        if unplayed_ms:
            cut.to_caller = self.playout.clear(now)
        return cut

    def cut_lost(self, item_ids: list[str], now: float) -> Interruption:
        """A lost stream took these items' last part with it: tell the model where they end.

        What is kept of them is played; they are recorded then.
        """
        cut = Interruption()
        for item_id in item_ids:
            item = self._items[item_id]
            cut.response_ids.add(item.response_id)
            end_ms = self.playout.queued_ms(item_id)
            if not item.foreign:
                cut.to_model.append(_shorten(item_id, end_ms))
            if end_ms == 0:
                cut.records += self._close(item_id, now)
        return cut

    def let_go(self, now: float) -> list[Action]:
        """The session that made these items is gone: no more comes of them."""
        for item in self._items.values():
            item.done = item.foreign = True
        return self.playout.mark() + self.record_played(now)

    def hush(self, now: float) -> list[Action]:
        """Drop what is unplayed, our own clips before all; items that have no audio yet stay."""
        if not self.playout.unplayed_ms(now):
            return []
        begun = [item_id for item_id in self._items if self.playout.heard(item_id, now).received_ms]
        records = [record for item_id in begun for record in self._close(item_id, now)]
        return self.playout.clear(now) + records

    def know(self, item_id: str) -> None:
        """An item of another pod's was recorded: nothing that is late for it is new."""
        self._closed.add(item_id)

    def saying(self) -> list[str]:
        """The words of items that are still being played."""
        return [item.words() for item in self._items.values()]

    def drop(self, item_id: str) -> list[Action]:
        """The model made an item that came too late to be played: it must not take it for said."""
        if item_id in self._items or not self._closed.add(item_id):
            return []
        return [_shorten(item_id, 0)]

    def size(self) -> int:
        """How many entries all tables hold together, for tests that nothing grows."""
        return len(self._items) + len(self._closed) + self.playout.size()

    def _cut(
        self, item_id: str, item: _Item, cut: Interruption, unplayed_ms: int, now: float
    ) -> None:
        heard = self.playout.heard(item_id, now)
        finished = item.done and heard.heard_ms >= heard.received_ms
        if not finished:
            cut.response_ids.add(item.response_id)
            if not item.foreign:
                cut.to_model.append(_shorten(item_id, heard.heard_ms))
            if cut.heard_ms is None:
                cut.heard_ms = heard.heard_ms
                barged = facts.BargedIn(item_id, heard.heard_ms, unplayed_ms)
                cut.records.insert(0, Record(barged))
        cut.records += self._close(item_id, now)

    def _opened(self, item_id: str, response_id: str, agent: str) -> bool:
        """Open an item, unless it was closed already or there are too many."""
        if item_id in self._closed or len(self._items) >= ITEMS_MAX:
            return False
        self._items[item_id] = _Item(response_id, agent)
        return True

    def _close(self, item_id: str, now: float) -> list[Action]:
        item = self._items.pop(item_id)
        self._closed.add(item_id)
        heard = self.playout.heard(item_id, now)
        self.playout.forget(item_id)
        words = item.words()
        if not words and not heard.received_ms:
            return []
        said = facts.AgentSaid(
            item_id=item_id,
            agent=item.agent,
            text=words,
            heard_text=heard_part(words, heard.heard_ms, heard.received_ms),
            audio_ms=heard.received_ms,
            heard_ms=heard.heard_ms,
        )
        return [Record(said)]


def _shorten(item_id: str, heard_ms: int) -> ToModel:
    """Have the model know that its item ends here; one that was not heard at all goes."""
    if heard_ms <= 0:
        return ToModel(client.DeleteItem(item_id))
    return ToModel(client.TruncateItem(item_id, 0, heard_ms))
