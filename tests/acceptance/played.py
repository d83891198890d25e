"""Whole calls, seen at every end: the carrier's report, the log's chain, the model's record.

`play` lets several people call at once; `Played.agrees` is what holds for every call whatever was
said in it: what the carrier played is, byte for byte, what the model sent, and where a person broke
in, all three sides name the same place.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeVar

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from acceptance.scene import CALLER, Stage
from trunkline.call import wording
from trunkline.core import facts
from trunkline.core.facts import AgentSaid, BargedIn, CallerSaid, Fact, ToolCalled, ToolFinished
from trunkline.core.ids import CallSid
from trunkline.core.record import GENESIS, Entry, chain_hash
from trunkline.ports import LoggedCall
from trunkline.sim.caller import Script
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.realtime.record import Said, SessionRecord

BYTES_PER_MS: Final = 8

FRAME_MS: Final = 20
MARK_MS: Final = 500
"""A mark's distance: `call.playout` promises to know what was heard within it."""

_Kind = TypeVar("_Kind", bound=Fact)


@dataclass(frozen=True)
class Role:
    """Whom a person calls and what they do."""

    to: str
    script: Script
    from_: str = CALLER
    after_s: float = 0.0
    """How long after the first caller of all."""


@dataclass(frozen=True)
class Played:
    """One call. `sessions` are those that said or heard something, in their order."""

    report: CallReport
    row: LoggedCall
    entries: Sequence[Entry]
    facts: Sequence[Fact]
    sessions: Sequence[SessionRecord]

    @property
    def session(self) -> SessionRecord | None:
        """Its only session; None where none said or heard anything."""
        assert len(self.sessions) <= 1, "one call's items came from several sessions"
        return self.sessions[0] if self.sessions else None

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """The call's facts of one kind, in order."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    @property
    def kinds(self) -> list[str]:
        """The kinds of its facts, in order; not how far an item was heard while it played."""
        return [entry.kind for entry in self.entries if entry.kind != "agent_heard"]

    @property
    def ended(self) -> tuple[str | None, str | None]:
        """Outcome and reason."""
        return self.row.outcome, self.row.reason

    @property
    def spoken(self) -> bytes:
        """All that was played to the caller, in order."""
        return b"".join(bytes(turn.played) for turn in self.report.turns)

    @property
    def model(self) -> SessionRecord:
        """The model's side, which is there."""
        assert self.session is not None
        return self.session

    def said(self, words: str) -> AgentSaid:
        """The agent's one item with these words."""
        (found,) = [fact for fact in self.of(AgentSaid) if fact.text == words]
        return found

    def agrees(self, *, ours: Sequence[bytes] = ()) -> None:
        """All ends tell the same call. `ours` is the audio that the pod played of its own."""
        self.is_whole()
        self._sounds_are_the_models(ours)
        for session in self.sessions:
            self._model_was_treated_well(session)
        if len(self.sessions) == 1:
            self._tools_are_the_models(self.sessions[0])
            self._words_are_the_callers(self.sessions[0])

    def is_whole(self) -> None:
        """The chain verifies, has one beginning and one end; the carrier has no complaint."""
        verify(self.report.sid, self.entries)
        assert self.kinds[0] == "call_received"
        assert self.kinds.index("call_ended") == len(self.kinds) - 1
        assert self.row.facts == len(self.entries)
        assert not self.report.warnings
        for stream in self.report.streams:
            gone = stream.bytes_cleared + stream.bytes_dropped
            assert stream.bytes_received == stream.bytes_played + gone

    def _model_was_treated_well(self, session: SessionRecord) -> None:
        """No event of ours was wrong, and no frame came before the session knew its format."""
        assert not session.errors
        assert not session.format_mismatch
        assert session.closed_at is not None

    def _tools_are_the_models(self, session: SessionRecord) -> None:
        """What was called was run or refused, and answered, each once."""
        answered = [fact for fact in self.of(ToolFinished) if fact.output != wording.CANCELLED]
        assert list(session.outputs) == [(fact.call_id, fact.output) for fact in answered]
        whole = iter(session.calls)
        assert all((fact.name, fact.arguments) in whole for fact in self.of(ToolCalled))

    def _sounds_are_the_models(self, ours: Sequence[bytes]) -> None:
        """What was played is what was sent, whole, but for items that were broken into."""
        assert len(self.spoken) == self.report.bytes_played
        pieces = [self._piece(item) for session in self.sessions for item in session.said]
        found = lengths(self.spoken, pieces, ours)
        assert found is not None, (
            f"{len(self.spoken) // BYTES_PER_MS} ms were played, and are not these items: "
            + ", ".join(f"{piece.least}..{piece.most} of {len(piece.audio)}" for piece in pieces)
        )
        for piece, played in zip(pieces, found, strict=True):
            off_ms = abs(played / BYTES_PER_MS - piece.heard_ms)
            assert off_ms <= self._heard_off_ms_max, f"{off_ms:.0f} ms beside what was heard"

    @property
    def _heard_off_ms_max(self) -> float:
        """A frame, and twice what the carrier's own clock was late by, up to a mark's distance."""
        return min(MARK_MS, FRAME_MS + 2 * self.report.frame_late_ms_max)

    def _piece(self, item: Said) -> "Piece":
        """How much of an item must have been played, by what the log and the model say of it."""
        told = next((fact for fact in self.of(AgentSaid) if fact.item_id == item.item_id), None)
        audio = bytes(item.audio)
        if told is None:
            return Piece(audio, 0, 0, 0)  # It came after the caller had broken in.
        if item.heard_ms is not None:
            assert item.heard_ms == told.heard_ms, "the model was told another place than the log"
        heard = told.heard_ms * BYTES_PER_MS
        if heard == len(audio):
            return Piece(audio, told.heard_ms, heard, heard)
        off = MARK_MS * BYTES_PER_MS
        return Piece(audio, told.heard_ms, max(0, heard - off), min(len(audio), heard + off))

    def _words_are_the_callers(self, session: SessionRecord) -> None:
        """The model understood each sentence, no frame of it lost, doubled or out of place."""
        said = [words for who, words in self.report.transcript if who == "caller"]
        assert [turn.text for turn in session.heard] == said
        written = [fact.text for fact in self.of(CallerSaid) if fact.text]
        assert [words for words in said if words in written] == written


@dataclass(frozen=True)
class Piece:
    """An item's audio, of which from `least` to `most` bytes were played, from its beginning.

    `heard_ms` of it was heard, says the log.
    """

    audio: bytes
    heard_ms: int
    least: int
    most: int


def lengths(played: bytes, pieces: Sequence[Piece], ours: Sequence[bytes]) -> list[int] | None:
    """How much of each piece was played; None if what was played is not these pieces.

    They must follow each other in their order, with `ours` in theirs anywhere between.
    """
    if not pieces:
        return [] if played == b"".join(ours) else None
    if ours and played.startswith(ours[0]):
        found = lengths(played[len(ours[0]) :], pieces, ours[1:])
        if found is not None:
            return found
    piece = pieces[0]
    same = common(played, piece.audio[: piece.most])
    for end in range(same, piece.least - 1, -1):
        found = lengths(played[end:], pieces[1:], ours)
        if found is not None:
            return [end, *found]
    return None


def common(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size
    return next(place for place in range(size) if one[place] != other[place])


def verify(call: str, entries: Sequence[Entry]) -> None:
    """Every entry is what was chained, in its place, and none is missing between."""
    previous = GENESIS
    for seq, entry in enumerate(entries, 1):
        digest = sha256(bytes.fromhex(entry.salt) + entry.payload.encode()).hexdigest()
        assert (entry.seq, entry.digest) == (seq, digest)
        previous = chain_hash(
            CallSid(call), previous, seq, entry.kind, entry.at_ms, entry.epoch, digest
        )
        assert entry.hash == previous


async def play(here: Stage, roles: Mapping[str, Role]) -> dict[str, Played]:
    """Everybody calls; returns when all calls are over and logged."""
    async with asyncio.TaskGroup() as callers:
        calls = {name: callers.create_task(_call(here, role)) for name, role in roles.items()}
    return {name: await seen(here, call.result()) for name, call in calls.items()}


async def _call(here: Stage, role: Role) -> CallReport:
    await asyncio.sleep(role.after_s)
    return await here.call(*role.script, to=role.to, from_=role.from_)


async def seen(here: Stage, report: CallReport) -> Played:
    """What every end knows of a call that is over."""
    entries = await here.entries(report.sid)
    told = [msgspec.json.decode(entry.payload, type=facts.Fact) for entry in entries]
    return Played(report, await here.logged(report.sid), entries, told, sessions_of(here, told))


def sessions_of(here: Stage, told: Sequence[Fact]) -> list[SessionRecord]:
    """The sessions whose items these facts name, in the order in which they are named."""
    kinds = AgentSaid | CallerSaid | BargedIn
    items = [fact.item_id for fact in told if isinstance(fact, kinds)]
    owners: dict[str, SessionRecord] = {}
    for record in here.sessions():
        owners |= dict.fromkeys((one.item_id for one in record.said), record)
        owners |= dict.fromkeys((one.item_id for one in record.heard), record)
    found: list[SessionRecord] = []
    for item in items:
        if item in owners and owners[item] not in found:
            found.append(owners[item])
    return found


def counted(metrics: str, name: str, **labels: str) -> float:
    """A metric's sum over all series with these labels, from what a scrape got."""
    samples = [
        sample
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name
    ]
    assert samples, f"there is no metric {name}"
    return sum(one.value for one in samples if labels.items() <= one.labels.items())
