"""Calls whose redirect does not come: the carrier is asked, unless they went on meanwhile."""

import asyncio

import pytest

from pod.ends import until
from pod.office import FIRST, KEY, ME, Redirecting, Stores
from trunkline.core import tickets
from trunkline.core.fleet_states import Life
from trunkline.core.ids import CallSid
from trunkline.core.neighbour_words import Word
from trunkline.core.tickets import ResumeToken
from trunkline.errors import CarrierError
from trunkline.pod.passes import Passes
from trunkline.pod.rescue import WATCHED_MAX, Rescue
from trunkline.telemetry.logs import get_logger

pytestmark = pytest.mark.anyio


class Here:
    """A rescue over a journal; its holder says `word`."""

    def __init__(
        self,
        word: Word | None = None,
        carrier: Redirecting | None = None,
        stores: Stores | None = None,
        turn: int = 0,
    ) -> None:
        self.journal = (stores or Stores()).journal
        self.place = turn
        self.carrier = carrier or Redirecting()
        self.word = word
        self.asked = 0
        self.rescue = Rescue(
            self.journal,
            self.ask,
            self.turn,
            Passes(ME.public_url, KEY),
            self.carrier,
            get_logger(),
            wait_s=0.01,
            turn_s=0.05,
        )

    async def ask(self, life: Life, call: CallSid) -> Word | None:
        """What the holder says."""
        del life, call
        self.asked += 1
        return self.word

    async def turn(self, call: CallSid) -> int:
        """How many come before."""
        del call
        return self.place

    async def watched(self, call: CallSid = FIRST) -> list[tuple[CallSid, str]]:
        """What the carrier was told, once the call is no longer watched."""
        self.rescue.watch(call)
        assert len(self.rescue) == 1
        await until(lambda: len(self.rescue) == 0)
        return self.carrier.asked


async def test_a_call_that_nobody_goes_on_with_is_asked_for() -> None:
    """Its pod is dead, and the next verb never ran: the address is its own redirect's."""
    here = Here()
    epoch = (await here.journal.open_call(FIRST, ME.pod, ME.incarnation)).epoch
    token = tickets.sign(ResumeToken(FIRST, epoch, ME.pod, ME.incarnation), KEY)
    assert await here.watched() == [(FIRST, f"{ME.public_url}/twilio/resume/{token}")]


@pytest.mark.parametrize(
    ("word", "asks"),
    [
        (None, True),
        (Word("unknown"), True),
        (Word("live"), True),
        (Word("live", streaming=True), False),
        (Word("ended", "<Response/>"), False),
    ],
)
async def test_what_its_holder_says_decides(word: Word | None, *, asks: bool) -> None:
    """A live pod without its stream needs it as well; one that has it must not lose it."""
    here = Here(word)
    await here.journal.open_call(FIRST, ME.pod, ME.incarnation)
    assert bool(await here.watched()) == asks


async def test_pods_that_find_the_same_call_take_turns() -> None:
    """The second finds that it went on: its update would break the new stream (world, seed 4)."""
    stores = Stores()

    class Obeying(Redirecting):
        async def redirect(self, call: CallSid, url: str) -> bool:
            stores.journal.now_ms += 1000
            await stores.journal.resume_call(call, epoch, ME.pod, ME.incarnation)
            return await super().redirect(call, url)

    carrier = Obeying()
    here, there = (Here(carrier=carrier, stores=stores, turn=turn) for turn in (0, 1))
    epoch = (await here.journal.open_call(FIRST, ME.pod, ME.incarnation)).epoch
    for one in (there, here):
        one.rescue.watch(FIRST)
    await until(lambda: len(here.rescue) + len(there.rescue) == 0)
    assert len(carrier.asked) == 1


async def test_a_call_that_was_resumed_meanwhile_is_left_alone() -> None:
    """It has another epoch: an update would break its new stream."""
    here = Here()
    epoch = (await here.journal.open_call(FIRST, ME.pod, ME.incarnation)).epoch
    here.rescue.watch(FIRST)
    await asyncio.sleep(0)
    here.journal.now_ms += 1000
    await here.journal.resume_call(FIRST, epoch, ME.pod, ME.incarnation)
    await until(lambda: len(here.rescue) == 0)
    assert here.carrier.asked == []


async def test_calls_that_are_unknown_or_whose_store_is_away_are_left_alone() -> None:
    """The look over all journals will find them."""
    here = Here()
    assert await here.watched() == []
    here.journal.away = True
    assert await here.watched() == []


async def test_a_carrier_that_refuses_is_no_end_of_ours() -> None:
    """A line in the log says so."""

    class Refusing(Redirecting):
        async def redirect(self, call: CallSid, url: str) -> bool:
            await super().redirect(call, url)
            raise CarrierError("the carrier answers 500")

    here = Here(carrier=Refusing())
    await here.journal.open_call(FIRST, ME.pod, ME.incarnation)
    assert len(await here.watched()) == 1


async def test_what_is_watched_is_bounded_and_ends_with_the_pod() -> None:
    """One call once, a thousand at most."""
    here = Here()
    for number in range(WATCHED_MAX + 5):
        for _ in range(2):
            here.rescue.watch(CallSid(f"CA{number:032d}"))
    assert len(here.rescue) == WATCHED_MAX
    here.rescue.stop()
    await until(lambda: len(here.rescue) == 0)


async def test_without_an_account_nothing_is_watched() -> None:
    """There is nobody to ask."""
    here = Here()
    passes = Passes(ME.public_url, KEY)
    nobody = Rescue(here.journal, here.ask, here.turn, passes, None, get_logger())
    nobody.watch(FIRST)
    assert len(nobody) == 0
