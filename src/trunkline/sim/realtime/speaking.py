"""One response as it streams: items, transcript and audio, faster than real time.

The script of a response is a generator: it emits events and yields the seconds to wait. So the
order of events stands in one place, and a cancelled response is a script not read further.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from trunkline.sim.realtime.brain import Call, Reply, Say
from trunkline.sim.realtime.conversation import (
    SPOKEN_MS_PER_TOKEN,
    Conversation,
    Entry,
    id_of,
    text_tokens,
)
from trunkline.sim.realtime.ids import Ids
from trunkline.sim.realtime.record import Said, SessionRecord
from trunkline.sim.usual import base64_of
from trunkline.wire.realtime import server
from trunkline.wire.realtime.items import (
    FunctionCall,
    ItemStatus,
    Message,
    OutputAudio,
    OutputText,
)
from trunkline.wire.realtime.responses import (
    ContentPart,
    ErrorOfResponse,
    InputTokens,
    OutputTokens,
    Response,
    ResponseStatus,
    StatusDetails,
    Usage,
)

BYTES_PER_MS: Final = 8
ARGUMENT_PIECES: Final = 3
"""A function call's arguments come in so many deltas."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is settled when a response begins."""

    reply: Reply
    audio_of: dict[str, bytes]
    """µ-law of each text that is said; empty in text mode."""
    text_mode: bool = False
    in_conversation: bool = True
    speed: float = 4.0
    delta_ms: int = 200
    think_s: float = 0.3
    context: InputTokens = field(default_factory=InputTokens)
    metadata: dict[str, str] | None = None
    audio_ms_max: int | None = None
    """`max_output_tokens` as audio: then the response is incomplete."""
    fail: str | None = None
    """Error code of a response that fails before it says anything."""
    fail_message: str = ""
    incomplete: str | None = None
    """Reason of a response that stops half-way through its first item."""
    cut_arguments: bool = False
    hang: bool = False
    """Stop half-way through the first spoken item, without a further event."""


@dataclass(slots=True)
class _Open:
    """The item that is being streamed."""

    entry: Entry
    index: int
    behind: str | None = None
    said: Said | None = None
    text: str = ""
    unsent: list[bytes] = field(default_factory=list)
    """Audio that is still to come."""


class _StoppedError(Exception):
    """The response ends here, incomplete."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Speaking:
    """A response from `response.created` to `response.done`."""

    def __init__(
        self, plan: Plan, ids: Ids, conversation: Conversation, record: SessionRecord, now: float
    ) -> None:
        self.id = ids.response()
        self.in_conversation = plan.in_conversation
        self.status: ResponseStatus = "in_progress"
        self.audio_ms = 0
        self._plan, self._ids, self._conversation, self._record = plan, ids, conversation, record
        self._out: list[server.ToClient] = []
        self._done_entries: list[Entry] = []
        self._text_tokens = 0
        self._open: _Open | None = None
        self._due: float | None = now
        self._now = now
        self._script = self._play()

    def deadline(self) -> float | None:
        """When the next event is due; None when nothing more comes by itself."""
        return None if self._due == float("inf") else self._due

    def advance(self, now: float) -> list[server.ToClient]:
        """All events that are due."""
        self._now = now
        while self._due is not None and self._due <= now:
            try:
                self._due += next(self._script)
            except StopIteration:
                self._due = None
        return self._taken()

    def cancel(self, reason: str, now: float, *, late_delta: bool) -> list[server.ToClient]:
        """End it: `turn_detected` or `client_cancelled`. One delta may still come."""
        self._now = now
        assert self.status == "in_progress"
        if late_delta and self._open is not None and self._open.unsent:
            self._delta(self._open, self._open.unsent.pop(0))
        self._script.close()
        self._finish("cancelled", StatusDetails("cancelled", reason))
        self._due = None
        return self._taken()

    def created(self) -> Response:
        """The response as it begins."""
        return Response(
            self.id,
            "in_progress",
            metadata=self._plan.metadata,
            conversation_id=self._ids.conversation if self.in_conversation else None,
        )

    def _taken(self) -> list[server.ToClient]:
        out, self._out = self._out, []
        return out

    def _play(self) -> Generator[float]:
        plan = self._plan
        yield plan.think_s
        if plan.fail is not None:
            kind = "server_error" if plan.fail == "server_error" else "invalid_request_error"
            error = ErrorOfResponse(kind, plan.fail, plan.fail_message or "a fault switch")
            self._finish("failed", StatusDetails("failed", error=error))
            return
        try:
            for index, part in enumerate(plan.reply):
                if isinstance(part, Call):
                    yield from self._call(index, part)
                elif plan.text_mode:
                    yield from self._write(index, part)
                else:
                    yield from self._speak(index, part)
        except _StoppedError as stop:
            self._finish("incomplete", StatusDetails("incomplete", stop.reason))
            return
        self._finish("completed", None)

    def _speak(self, index: int, part: Say) -> Generator[float]:
        plan, audio = self._plan, self._plan.audio_of[part.text]
        item = Message("assistant", [], self._ids.item(), "in_progress", "realtime.item")
        opened = self._begin(index, item)
        opened.said = Said(self.id, id_of(item), "")
        self._record.said.append(opened.said)
        where = (self.id, id_of(item), index, 0)
        self._out.append(
            server.ContentPartAdded(*where, ContentPart("audio", transcript=""), self._ids.event())
        )
        step = plan.delta_ms * BYTES_PER_MS
        words = part.text.split()
        opened.unsent = [audio[at : at + step] for at in range(0, len(audio), step)]
        count = len(opened.unsent)
        for number in range(count):
            told = len(words) * number // count
            self._transcript(opened, words[told : len(words) * (number + 1) // count])
            piece = opened.unsent.pop(0)
            room = self._room(len(piece) // BYTES_PER_MS)
            self._delta(opened, piece[: room * BYTES_PER_MS])
            if room * BYTES_PER_MS < len(piece):
                raise _StoppedError("max_output_tokens")
            yield len(piece) / BYTES_PER_MS / 1000 / plan.speed
            if number + 1 >= count // 2 and plan.incomplete is not None:
                raise _StoppedError(plan.incomplete)
            if number + 1 >= count // 2 and plan.hang:
                yield float("inf")
        self._end("completed")

    def _room(self, wanted_ms: int) -> int:
        limit = self._plan.audio_ms_max
        return wanted_ms if limit is None else max(0, min(wanted_ms, limit - self.audio_ms))

    def _transcript(self, opened: _Open, words: list[str]) -> None:
        if not words:
            return
        delta = (" " if opened.text else "") + " ".join(words)
        opened.text += delta
        if opened.said is not None:
            opened.said.text = opened.text
        opened.entry.text = opened.text
        where = (self.id, id_of(opened.entry.item), delta, opened.index, 0)
        self._out.append(server.TranscriptDelta(*where, self._ids.event()))

    def _delta(self, opened: _Open, piece: bytes) -> None:
        if not piece:
            return
        assert opened.said is not None
        if self._record.marks is not None:
            piece = self._record.marks.put(self._now, piece)
        if not opened.entry.cut:
            opened.entry.audio_ms += len(piece) // BYTES_PER_MS
        opened.said.audio_ms += len(piece) // BYTES_PER_MS
        self.audio_ms += len(piece) // BYTES_PER_MS
        if self._record.keeps_audio:
            opened.entry.audio += b"" if opened.entry.cut else piece
            opened.said.audio += piece
        payload = base64_of(piece).decode("ascii")
        where = (self.id, id_of(opened.entry.item), payload, opened.index, 0)
        self._out.append(server.AudioDelta(*where, self._ids.event()))

    def _write(self, index: int, part: Say) -> Generator[float]:
        item = Message("assistant", [], self._ids.item(), "in_progress", "realtime.item")
        opened = self._begin(index, item)
        where = (self.id, id_of(item), index, 0)
        self._out.append(
            server.ContentPartAdded(*where, ContentPart("text", text=""), self._ids.event())
        )
        for word in part.text.split():
            delta = (" " if opened.text else "") + word
            opened.text += delta
            opened.entry.text = opened.text
            self._out.append(
                server.TextDelta(self.id, id_of(item), delta, index, 0, self._ids.event())
            )
            yield self._plan.delta_ms / 1000 / self._plan.speed
        self._end("completed")

    def _call(self, index: int, part: Call) -> Generator[float]:
        item = FunctionCall(
            part.name, "", self._ids.call(), self._ids.item(), "in_progress", "realtime.item"
        )
        opened = self._begin(index, item)
        arguments = part.arguments
        if self._plan.cut_arguments:
            arguments = arguments[: max(1, len(arguments) // 2)]
        size = -(-len(arguments) // ARGUMENT_PIECES)
        for at in range(0, len(arguments), size):
            delta = arguments[at : at + size]
            opened.text += delta
            self._out.append(
                server.ArgumentsDelta(
                    self.id, id_of(item), index, _call_id(item), delta, self._ids.event()
                )
            )
            yield self._plan.delta_ms / 1000 / self._plan.speed
        if self._plan.cut_arguments:
            raise _StoppedError("max_output_tokens")
        self._end("completed")

    def _begin(self, index: int, item: Message | FunctionCall) -> _Open:
        self._open = opened = _Open(Entry(item), index)
        self._out.append(server.OutputItemAdded(self.id, index, item, self._ids.event()))
        if self.in_conversation:
            opened.behind = self._conversation.add(opened.entry)
            self._out.append(server.ItemAdded(item, opened.behind, self._ids.event()))
        return opened

    def _end(self, status: ItemStatus) -> None:
        """Close the open item, whatever became of it."""
        opened, self._open = self._open, None
        if opened is None:
            return
        entry, index = opened.entry, opened.index
        where = (self.id, id_of(entry.item), index, 0)
        match entry.item:
            case Message() as item if opened.said is not None:
                opened.said.status = status
                content = OutputAudio() if entry.cut else OutputAudio(transcript=opened.text)
                entry.item = replace(item, content=[content], status=status)
                self._out += (
                    server.AudioDone(*where, self._ids.event()),
                    server.TranscriptDone(
                        self.id, id_of(item), opened.text, index, 0, self._ids.event()
                    ),
                    server.ContentPartDone(
                        *where, ContentPart("audio", transcript=opened.text), self._ids.event()
                    ),
                )
            case Message() as item:
                entry.item = replace(item, content=[OutputText(opened.text)], status=status)
                part = ContentPart("text", text=opened.text)
                self._out += (
                    server.TextDone(self.id, id_of(item), opened.text, index, 0, self._ids.event()),
                    server.ContentPartDone(*where, part, self._ids.event()),
                )
            case FunctionCall() as item:
                entry.item = replace(item, arguments=opened.text, status=status)
                self._record.calls.append((item.name, opened.text))
                self._out.append(
                    server.ArgumentsDone(
                        self.id,
                        id_of(item),
                        index,
                        _call_id(item),
                        opened.text,
                        item.name,
                        self._ids.event(),
                    )
                )
            case _:
                raise AssertionError(entry.item)
        self._text_tokens += text_tokens(opened.text)
        self._done_entries.append(entry)
        self._out.append(server.OutputItemDone(self.id, index, entry.item, self._ids.event()))
        if self.in_conversation:
            self._out.append(server.ItemDone(entry.item, opened.behind, self._ids.event()))

    def _finish(self, status: ResponseStatus, details: StatusDetails | None) -> None:
        self._end("incomplete")
        self.status = status
        self._record.responses[status] += 1
        audio, text = self.audio_ms // SPOKEN_MS_PER_TOKEN, self._text_tokens
        context = self._plan.context
        spent = context.text_tokens + context.audio_tokens
        usage = Usage(spent + audio + text, spent, audio + text, context, OutputTokens(text, audio))
        done = replace(
            self.created(),
            status=status,
            status_details=details,
            output=[entry.item for entry in self._done_entries],
            usage=None if status == "failed" else usage,
        )
        self._out.append(server.ResponseDone(done, self._ids.event()))


def _call_id(item: FunctionCall) -> str:
    assert isinstance(item.call_id, str)
    return item.call_id
