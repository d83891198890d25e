"""The items of a session: added, cut, deleted, and counted in tokens.

What a client asks for and can't have raises `ModelProtocolError` with the protocol's code.
"""

import base64
from dataclasses import dataclass, field
from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from trunkline.errors import ModelProtocolError
from trunkline.wire.realtime.items import (
    ID_CHARS_MAX,
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputText,
    Item,
    Message,
    OutputAudio,
    OutputText,
)

ITEMS_MAX: Final = 10_000
"""Items in one conversation; more are refused: a client that seeds for ever has a bug."""

HEARD_MS_PER_TOKEN: Final = 100
SPOKEN_MS_PER_TOKEN: Final = 50
CHARS_PER_TOKEN: Final = 4

ROOT: Final = "root"
"""As `previous_item_id`: the front."""


@dataclass(slots=True)
class Entry:
    """An item and what its record does not hold: its audio, and what was said in it."""

    item: Item
    audio_ms: int = 0
    audio: bytearray = field(default_factory=bytearray)
    text: str = ""
    """The words, as the brain knows them: also where no transcription was asked for."""
    cut: bool = False
    """Truncated: its transcript is gone, and audio still to come is no part of it."""

    def tokens(self) -> tuple[int, int]:
        """Text and audio tokens as context of a response."""
        text, audio = 0, 0
        match self.item:
            case Message(role="user", content=[InputAudio()]):
                audio = self.audio_ms // HEARD_MS_PER_TOKEN
            case Message(role="assistant") if self.audio_ms:
                audio = self.audio_ms // SPOKEN_MS_PER_TOKEN
            case Message(content=content):
                text = sum(text_tokens(text_of(part)) for part in content)
            case FunctionCall(name=name, arguments=arguments):
                text = text_tokens(name + arguments)
            case FunctionCallOutput(output=output):
                text = text_tokens(output)
        return text, audio


def text_of(part: InputText | InputAudio | OutputText | OutputAudio) -> str:
    """The words of a content part."""
    match part:
        case InputText(text=text) | OutputText(text=text):
            return text
        case InputAudio(transcript=transcript) | OutputAudio(transcript=transcript):
            return transcript if isinstance(transcript, str) else ""


def text_tokens(text: str) -> int:
    """About as many tokens as a text has."""
    return -(-len(text) // CHARS_PER_TOKEN)


def id_of(item: Item) -> str:
    """An item's id, which every item in a conversation has."""
    assert isinstance(item.id, str)
    return item.id


class Conversation:
    """Items in their order."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []

    def __len__(self) -> int:
        return len(self._order)

    @property
    def entries(self) -> list[Entry]:
        """All, first to last."""
        return [self._entries[item_id] for item_id in self._order]

    def last(self) -> Entry | None:
        """The newest entry."""
        return self._entries[self._order[-1]] if self._order else None

    def get(self, item_id: str, action: str = "retrieve") -> Entry:
        """An entry by its id; unknown: `item_ACTION_invalid_item_id`."""
        entry = self._entries.get(item_id)
        if entry is None:
            raise ModelProtocolError(
                f"No item with id '{item_id}' is in the conversation.",
                f"item_{action}_invalid_item_id",
                "item_id",
            )
        return entry

    def add(self, entry: Entry, previous: str | UnsetType = UNSET) -> str | None:
        """Add behind `previous` (absent: at the end); returns the id it stands behind."""
        item_id = id_of(entry.item)
        assert item_id not in self._entries
        place = len(self._order)
        if isinstance(previous, str):
            place = 0 if previous == ROOT else self._order.index(previous) + 1
        self._entries[item_id] = entry
        self._order.insert(place, item_id)
        return self._order[place - 1] if place else None

    def check_new(self, item: Item, previous: str | UnsetType) -> None:
        """Refuse what a client may not create here."""
        if isinstance(item.id, str):
            refuse_long(item.id, "item.id")
            if item.id in self._entries:
                raise ModelProtocolError(
                    f"An item with id '{item.id}' exists.", "invalid_value", "item.id"
                )
        if isinstance(previous, str) and previous != ROOT and previous not in self._entries:
            raise ModelProtocolError(
                f"No item with id '{previous}' to stand behind.",
                "item_create_invalid_previous_item_id",
                "previous_item_id",
            )
        if len(self) >= ITEMS_MAX:
            raise ModelProtocolError(f"More than {ITEMS_MAX} items.", "invalid_value", "item")
        match item:
            case Message(role="assistant", content=content):
                if any(isinstance(part, OutputAudio) for part in content):
                    raise ModelProtocolError(
                        "Assistant audio can't be created.", "invalid_value", "item.content"
                    )
            case FunctionCall(call_id=call_id) if isinstance(call_id, str):
                refuse_long(call_id, "item.call_id")
            case FunctionCallOutput(call_id=call_id):
                refuse_long(call_id, "item.call_id")
                self._check_output(call_id)
            case _:
                pass

    def _check_output(self, call_id: str) -> None:
        items = [entry.item for entry in self.entries]
        if not any(isinstance(item, FunctionCall) and item.call_id == call_id for item in items):
            raise ModelProtocolError(
                f"No function call has the id '{call_id}'.", "invalid_tool_call_id", "item.call_id"
            )
        if any(isinstance(i, FunctionCallOutput) and i.call_id == call_id for i in items):
            raise ModelProtocolError(
                f"The call '{call_id}' has an output.", "invalid_tool_call_id", "item.call_id"
            )

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> Entry:
        """Cut an assistant's audio and delete its transcript."""
        entry = self.get(item_id, "truncate")
        item = entry.item
        if not (isinstance(item, Message) and item.role == "assistant"):
            raise ModelProtocolError(
                "Only assistant messages can be truncated.", "invalid_value", "item_id"
            )
        if content_index != 0 or (item.content and not isinstance(item.content[0], OutputAudio)):
            raise ModelProtocolError(
                f"No audio at content index {content_index}.", "invalid_value", "content_index"
            )
        if audio_end_ms < 0:
            raise ModelProtocolError(
                "Invalid 'audio_end_ms': below 0.", "invalid_value", "audio_end_ms"
            )
        if audio_end_ms > entry.audio_ms:
            raise ModelProtocolError(
                f"Audio content of {entry.audio_ms}ms is already shorter than {audio_end_ms}ms",
                "invalid_value",
                "audio_end_ms",
            )
        entry.audio_ms, entry.cut = audio_end_ms, True
        del entry.audio[audio_end_ms * 8 :]
        entry.text = ""
        entry.item = replace(item, content=[OutputAudio()])
        return entry

    def delete(self, item_id: str) -> None:
        """Take an item out."""
        self.get(item_id, "delete")
        del self._entries[item_id]
        self._order.remove(item_id)

    def retrieved(self, item_id: str) -> Item:
        """An item with its audio."""
        entry = self.get(item_id)
        item = entry.item
        if not isinstance(item, Message) or not entry.audio:
            return item
        audio = base64.b64encode(entry.audio).decode()
        return replace(
            item,
            content=[
                replace(part, audio=audio) if isinstance(part, InputAudio | OutputAudio) else part
                for part in item.content
            ],
        )

    def tokens(self) -> tuple[int, int]:
        """Text and audio tokens of all items."""
        counts = [entry.tokens() for entry in self.entries]
        return sum(text for text, _ in counts), sum(audio for _, audio in counts)


def refuse_long(text: str, param: str) -> None:
    """Ids are at most 32 characters."""
    if len(text) > ID_CHARS_MAX:
        raise ModelProtocolError(
            f"Invalid '{param}': string too long. Expected at most {ID_CHARS_MAX} characters, "
            f"got {len(text)}.",
            "string_above_max_length",
            param,
        )
