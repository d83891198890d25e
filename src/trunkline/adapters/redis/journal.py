"""The journal in Redis: each step is one fenced script."""

from collections.abc import Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from trunkline.adapters.redis.connect import store_errors
from trunkline.adapters.redis.keys import CALL_PREFIX, call_key, facts_key
from trunkline.adapters.redis.resume import JOURNAL_TTL_MS, Resuming
from trunkline.adapters.redis.scripts import NowMs, script, told
from trunkline.adapters.redis.together import Together
from trunkline.core.fleet_states import UNKNOWN_CLAIM, Life, Target
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import GENESIS, Entry, Head
from trunkline.core.slots import Full
from trunkline.errors import Behind, Fenced, StoreError
from trunkline.ports import (
    CallState,
    HeldCall,
    Holder,
    Opening,
    ResumeRefused,
    Resumption,
)

ENDED_TTL_MS: Final = 2 * 3600 * 1000
"""How long the journal of an ended and logged call stays, so that late resumes find its end."""

APPEND_ENTRIES_MAX: Final = 200
"""Entries in one script: a longer append goes in pieces, so that no script blocks the store."""

HELD_CALLS_STEP: Final = 200
"""Keys that one step of a look over all journals goes through: some tenths of a millisecond."""

FENCED: Final = {
    "epoch": "a higher epoch owns the call",
    "ended": "the call has ended",
    "chain": "the chain has another head",
}

HELD_FIELDS: Final = ("epoch", "pod", "incarnation", "state", "logged")
"""What a look finds of a call."""


class RedisJournal:
    """`ports.Journal` and `ports.JournalIndex` in Valkey or Redis.

    `now_ms` is for tests that let time pass without waiting; else it is the store's.
    """

    def __init__(self, client: Redis, now_ms: NowMs | None = None) -> None:
        self._client = client
        self._now_ms = now_ms
        self._open = script(client, "open_call")
        self._resume = Resuming(client, now_ms)
        self._append = Together(client, script(client, "append_facts"))
        self._forget = script(client, "forget_call")

    async def open_call(self, call: CallSid, pod: PodName, incarnation: Incarnation) -> Opening:
        """Begin a call's journal, or say how it was begun; its epoch is Redis time in ms."""
        async with store_errors():
            first, *found = await self._open(
                keys=[call_key(call)],
                args=[pod, incarnation, JOURNAL_TTL_MS, GENESIS, told(self._now_ms)],
            )
        epoch, held_by, life, state, opened_at_ms, now_ms = (field.decode() for field in found)
        return Opening(
            epoch=Epoch(int(epoch)),
            pod=PodName(held_by),
            incarnation=Incarnation(life),
            state=CallState(state),
            opened_at_ms=int(opened_at_ms),
            now_ms=int(now_ms),
            first=bool(first),
        )

    async def resume_call(
        self, call: CallSid, epoch: Epoch, pod: PodName, incarnation: Incarnation
    ) -> Resumption | ResumeRefused:
        """Compare-and-set from `epoch` to a higher one, never below Redis time in ms.

        The call's slot goes to the pod in the same script, if the fleet knows it.
        """
        found = await self._resume.run(call, epoch, Target(Life(pod, incarnation)), UNKNOWN_CLAIM)
        assert not isinstance(found, Full), "a pod that is named is not asked for room"
        return found

    async def append(
        self, call: CallSid, holder: Holder, head: Head, entries: Sequence[Entry]
    ) -> None:
        """Append what follows `head`; idempotent for entries it already holds.

        Raises:
            Fenced: a higher epoch owns the call, it has ended, or the chain has another head.
            Behind: the journal holds less: append again what follows its head, or all there is.
            StoreError: Redis did not answer in time; the same append may be sent again.
        """
        for at in range(0, max(len(entries), 1), APPEND_ENTRIES_MAX):
            piece = entries[at : at + APPEND_ENTRIES_MAX]
            await self._append_piece(call, holder, head, piece)
            if piece:
                head = Head(piece[-1].seq, piece[-1].hash)

    async def _append_piece(
        self, call: CallSid, holder: Holder, head: Head, entries: Sequence[Entry]
    ) -> None:
        assert [entry.seq for entry in entries] == [head.seq + 1 + i for i in range(len(entries))]
        ends = any(entry.kind == "call_ended" for entry in entries)
        args: list[str | bytes | int] = [holder.epoch, holder.pod, holder.incarnation]
        args += [JOURNAL_TTL_MS, GENESIS, head.seq, head.hash, int(ends)]
        for entry in entries:
            args += entry.hash, msgspec.json.encode(entry)
        async with store_errors():
            answer, *found = await self._append.run([call_key(call), facts_key(call)], args)
        if answer == b"behind":
            raise Behind("the journal lost its tail", int(found[0]), found[1].decode())
        if answer != b"held":
            raise Fenced(FENCED[answer.decode()])

    async def forget_call(self, call: CallSid) -> None:
        """Let an ended call's journal expire after `ENDED_TTL_MS`; a live one is left alone."""
        async with store_errors():
            await self._forget(keys=[call_key(call), facts_key(call)], args=[ENDED_TTL_MS])

    async def read(self, call: CallSid) -> list[Entry]:
        """Every entry of a call, in order; empty if there is none."""
        async with store_errors():
            texts = await self._client.lrange(facts_key(call), 0, -1)
        try:
            return [msgspec.json.decode(text, type=Entry) for text in texts]
        except msgspec.MsgspecError as fault:
            raise StoreError("the journal holds what is no entry") from fault

    async def held(self, cursor: int) -> tuple[int, Sequence[HeldCall]]:
        """Some of the calls, in one bounded step of SCAN, and where to go on; 0 is the end."""
        async with store_errors():
            following, keys = await self._client.scan(
                cursor, match=f"{CALL_PREFIX}*", count=HELD_CALLS_STEP
            )
            async with self._client.pipeline(transaction=False) as asked:
                for key in keys:
                    asked.hmget(key, HELD_FIELDS)
                rows = await asked.execute()
        found = []
        for key, row in zip(keys, rows, strict=True):
            assert isinstance(key, bytes), "the client decodes nothing"
            held = _held(CallSid(key.decode().removeprefix(CALL_PREFIX)), row)
            found += [] if held is None else [held]  # It may have expired meanwhile.
        return int(following), found

    async def holder(self, call: CallSid) -> HeldCall | None:
        """Who holds a call; None if there is no journal of it."""
        async with store_errors():
            row = await self._client.hmget(call_key(call), HELD_FIELDS)
        return _held(call, row)


def _held(call: CallSid, row: Sequence[bytes | str | None]) -> HeldCall | None:
    """The call as its fields say."""
    epoch, pod, life, state, logged = (
        field.decode() if isinstance(field, bytes) else field for field in row
    )
    if epoch is None or pod is None or life is None or state is None:
        return None
    holder = Holder(Epoch(int(epoch)), PodName(pod), Incarnation(life))
    return HeldCall(call, holder, CallState(state), logged=logged is not None)
