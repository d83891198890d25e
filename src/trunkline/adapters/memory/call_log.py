"""The twin of the Postgres call log."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from trunkline.adapters.postgres.rows import quarantined
from trunkline.core.carrier import CarrierFact
from trunkline.core.facts import CallEnded, CallReceived
from trunkline.core.ids import CallSid, PodName
from trunkline.core.record import QUARANTINED, Aside, Entry, Why
from trunkline.ports import LoggedCall

FactT = TypeVar("FactT", CallReceived, CallEnded)


class MemoryCallBook:
    """`ports.CallBook` in memory. `strays` counts facts that were put aside."""

    def __init__(self, on_aside: Callable[[Aside], None] | None = None) -> None:
        self._on_aside = on_aside
        self._facts: dict[CallSid, dict[int, Entry]] = {}
        self._carrier: dict[tuple[CallSid, str], CarrierFact] = {}
        self._aside: dict[tuple[CallSid, int, str], Aside] = {}
        self._erased: dict[CallSid, LoggedCall] = {}

    @property
    def strays(self) -> int:
        """How many facts were put aside, each counted once."""
        return len(self._aside)

    async def write(self, entries: Sequence[tuple[CallSid, Entry]]) -> None:
        """Keep the entries; idempotent."""
        for call, entry in sorted(entries, key=lambda row: (row[0], row[1].seq)):
            facts = self._facts.setdefault(call, {})
            if (fact := quarantined((call, entry))) is not None:
                await self.put_aside([fact])
            elif facts.setdefault(entry.seq, entry).hash != entry.hash:
                await self.put_aside([Aside(call, entry, Why.CONTRADICTS)])

    async def put_aside(self, facts: Sequence[Aside]) -> None:
        """Keep facts beside the calls' chains, each once."""
        for fact in facts:
            key = (fact.call, fact.entry.seq, fact.entry.hash)
            if key not in self._aside:
                self._aside[key] = fact
                if self._on_aside is not None:
                    self._on_aside(fact)

    async def calls(self, *, limit: int, before_ms: int | None = None) -> list[LoggedCall]:
        """The newest calls first."""
        rows = [self._row(call) for call in self._facts]
        rows.sort(key=lambda row: (row.started_at_ms, row.call), reverse=True)
        return [row for row in rows if before_ms is None or row.started_at_ms < before_ms][:limit]

    async def call(self, call: CallSid) -> LoggedCall | None:
        """One call's row; None if the log has no such call."""
        return self._row(call) if call in self._facts else None

    async def entries(self, call: CallSid) -> list[Entry]:
        """Every fact of a call, in order."""
        facts = self._facts.get(call, {})
        return [facts[seq] for seq in sorted(facts)]

    async def unended(self, pod: PodName, *, limit: int) -> list[CallSid]:
        """Calls that this pod received and that have no outcome, the oldest first."""
        rows = [row for row in map(self._row, self._facts) if row.pod == pod and not row.outcome]
        rows.sort(key=lambda row: (row.started_at_ms, row.call))
        return [row.call for row in rows[:limit]]

    async def write_carrier_facts(self, facts: Sequence[CarrierFact]) -> None:
        """Keep what the carrier told, each once."""
        for fact in sorted(facts, key=lambda fact: (fact.call, fact.digest)):
            self._carrier.setdefault((fact.call, fact.digest), fact)

    async def carrier_facts(self, call: CallSid) -> list[CarrierFact]:
        """What the carrier told of a call, in the order in which it came."""
        found = [fact for fact in self._carrier.values() if fact.call == call]
        return sorted(found, key=lambda fact: (fact.at_ms, fact.kind, fact.digest))

    async def aside(self, call: CallSid) -> list[Aside]:
        """Every fact of a call that is kept aside, in order."""
        found = [fact for fact in self._aside.values() if fact.call == call]
        return sorted(found, key=lambda fact: fact.entry.seq)

    def _row(self, call: CallSid) -> LoggedCall:
        """A quarantined fact is the call's own all the same."""
        if call in self._erased:
            return self._erased[call]
        facts = self._facts[call]
        own = {
            fact.entry.seq: fact.entry
            for fact in self._aside.values()
            if fact.call == call and fact.why in QUARANTINED
        }
        return dataclasses.replace(_row(call, own | facts), facts=len(facts))

    def erase(self, call: CallSid, at_ms: int) -> int:
        """Take words and numbers out of a call; how many facts had any."""
        row = self._row(call)
        numberless = dataclasses.replace(row, from_number="", to_number="")
        self._erased[call] = dataclasses.replace(
            numberless, erased_at_ms=at_ms if row.erased_at_ms is None else row.erased_at_ms
        )
        facts = self._facts[call]
        full = [entry for entry in facts.values() if entry.salt]
        for entry in full:
            facts[entry.seq] = msgspec.structs.replace(entry, payload="", salt="")
        for place in [place for place in self._aside if place[0] == call]:
            fact = self._aside[place]
            bare = msgspec.structs.replace(fact.entry, payload="", salt="")
            self._aside[place] = fact._replace(entry=bare)
        for told in [told for told in self._carrier if told[0] == call]:
            del self._carrier[told]
        return len(full)


def _row(call: CallSid, facts: dict[int, Entry]) -> LoggedCall:
    times: dict[str, int] = {}
    for entry in facts.values():
        times[entry.kind] = min(times.get(entry.kind, entry.at_ms), entry.at_ms)
    received, ended = _fact(facts, CallReceived), _fact(facts, CallEnded)
    return LoggedCall(
        call=call,
        direction=received.direction if received else "",
        from_number=_clean(received.from_number) if received else "",
        to_number=_clean(received.to_number) if received else "",
        agent=_clean(received.agent) if received else "",
        tenant=_clean(received.tenant) if received else "",
        vertical=_clean(received.vertical) if received else "",
        pod=_clean(received.pod) if received else "",
        started_at_ms=min(times.values()),
        answered_at_ms=times.get("stream_opened"),
        ended_at_ms=times["call_ended"] if ended else None,
        outcome=ended.outcome.value if ended else None,
        reason=_clean(ended.reason) if ended else None,
        facts=len(facts),
    )


def _fact(facts: dict[int, Entry], kind: type[FactT]) -> FactT | None:
    for entry in facts.values():
        if entry.kind == kind.__struct_config__.tag:
            with contextlib.suppress(msgspec.MsgspecError):
                return msgspec.json.decode(entry.payload, type=kind)
    return None


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd")
