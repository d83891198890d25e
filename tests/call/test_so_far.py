"""What a journal says of a call, wherever it ends."""

from dataclasses import replace
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from call.histories import Maker, Watch, history_plan, setup_events
from call.killed import RECEIVED, RESUMED, journal, read
from call.script import (
    NEXT_SID,
    VIEW,
    audio,
    calls,
    created,
    delta,
    done,
    echo,
    words,
)
from trunkline.call import so_far, wording
from trunkline.call.actions import Action, ToCaller, ToModel
from trunkline.call.events import Event, ModelOpened, StreamStarted
from trunkline.call.machine import Call
from trunkline.call.phases import Phase
from trunkline.call.so_far import CallSoFar, InFlight, Takeover
from trunkline.call.voice import heard_part
from trunkline.core import facts
from trunkline.core.facts import Fact, Outcome, ResumeCause
from trunkline.core.record import Entry
from trunkline.wire import twilio
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import InputText, Message, OutputText

EVENTS = 30
TURNS_SHARE = 0.3
TO = '{"target": "sales"}'
CALLS = 300


def heard(item: str, text: str, heard_ms: int, audio_ms: int = 2000) -> facts.AgentHeard:
    return facts.AgentHeard(item, "desk", text, audio_ms, heard_ms)


def test_a_journal_of_nothing() -> None:
    """The call's beginning is lost, or it was never written down."""
    assert so_far.read([]) == CallSoFar()
    assert so_far.read([]).direction == "inbound"


def test_who_calls_and_who_answers() -> None:
    """As the webhook had it, until the call is handed over."""
    assert read().received == RECEIVED
    assert read().agent == "desk"
    assert read(facts.HandedOff("desk", "billing")).agent == "billing"
    outbound = msgspec.structs.replace(RECEIVED, direction="outbound")
    assert read(outbound).direction == "outbound"


def test_the_newest_word_on_an_item_counts() -> None:
    """Its words stand in the fact that brought them; `agent_said` makes all of them needless."""
    said = facts.AgentSaid("i1", "desk", "One two three four", "One two", 2000, 1000)
    begun = read(
        heard("i1", "One", 500), heard("i1", "One two three four", 700), heard("i1", "", 1000)
    )
    assert begun.half_heard == (said,)
    assert begun.conversed
    assert not begun.told
    over = read(heard("i1", "One two three four", 1000), said)
    assert (over.half_heard, over.told) == ((), (said,))


def test_an_item_whose_words_are_not_known_yet() -> None:
    """The caller heard something, and nobody knows what."""
    begun = read(heard("i1", "", 1000))
    assert [said.heard_text for said in begun.half_heard] == [""]
    assert begun.conversed


def test_tools_in_flight_are_those_of_which_nothing_came() -> None:
    """In the order of their calls, with the key under which they ran."""
    first = facts.ToolCalled("c1", "book", '{"day": 1}')
    second = facts.ToolCalled("c2", "book", "{}")
    over = facts.ToolFinished("c2", "book", ok=True, output="x", took_ms=1)
    assert read(first, second, over).in_flight == (InFlight("c1", "book", '{"day": 1}', 100_000),)


def test_an_end_that_was_taken_back_is_none() -> None:
    """The last word on it counts."""
    ordered = facts.EndOrdered(Outcome.AGENT_ENDED, "end_call")
    back = facts.EndTakenBack()
    assert read(ordered).ordered == ordered
    assert read(ordered, back).ordered is None
    assert read(ordered, back, ordered).ordered == ordered


def test_an_end_that_was_written_down_by_half() -> None:
    """A transfer is ordered just before the call's end: the one may be there without the other."""
    transfer = facts.TransferOrdered("sales", "+15550100001")
    end = facts.CallEnded(Outcome.TRANSFERRED, "sales")
    assert (read(transfer).transfer, read(transfer).ended) == (transfer, None)
    assert read(transfer, end).ended == end


def test_slots_that_moved_with_their_streams_are_no_resumes() -> None:
    """Which epoch followed which is kept, for the tokens that name the earlier."""
    moved = (facts.SlotMoved("pod-0", "pod-1", 7, 9), facts.SlotMoved("pod-1", "pod-2", 12, 14))
    known = read(*moved)
    assert known.moves == ((7, 9), (12, 14))
    assert (known.told, known.resumed_at_ms) == ((), ())


def test_streams_and_resumes_are_counted_with_their_times() -> None:
    """What bounds resumes counts each loss, and no move of ours."""
    moved = msgspec.structs.replace(RESUMED, cause=ResumeCause.MIGRATED)
    told: list[tuple[float, Fact]] = [
        (101.0, facts.StreamOpened("MZ1")),
        (103.0, facts.CallResumed("reset", 800)),
        (104.0, moved),
        (105.0, RESUMED),
    ]
    known = so_far.read(journal(told))
    assert known.streams == 1
    assert known.answered_at_ms == 101_000
    assert known.resumed_at_ms == (103_000, 105_000)
    assert known.last_at_ms == 105_000
    assert known.told == (moved, RESUMED)
    assert not known.conversed


def test_what_another_revision_wrote_is_passed_over() -> None:
    """A kind that is not known, a text that was erased, a field of another type."""
    good = journal([(101.0, facts.CallerSaid("i1", "hello"))])
    strange = [
        '{"kind":"sang","song":"x"}',
        "",
        "[1]",
        '{"kind":"caller_said","item_id":7}',
        '{"kind":"call_ended","outcome":"vanished","reason":"x"}',
        "[" * 5000,
        '"\ud800"',
    ]
    between = [msgspec.structs.replace(good[0], payload=payload) for payload in strange]
    mixed = so_far.read([good[0], *between, good[1]])
    assert mixed == so_far.read(good)


def test_how_old_a_call_is() -> None:
    """Since its first stream; never less than nothing, whatever the clocks say."""
    past = read(facts.StreamOpened("MZ1"), facts.ToolCalled("c1", "book", "{}"))
    takeover = Takeover(past, RESUMED, 160_500)
    assert takeover.age_s == 60.5
    assert takeover.took_ms(past.in_flight[0]) == 60_500
    assert replace(takeover, at_ms=1).age_s == 0
    assert Takeover(CallSoFar(), RESUMED, 5).age_s == 0


# Any call, cut anywhere.


def live(watch: Watch, maker: Maker, events: int, *, first: int = 0) -> None:
    """So many random events, with turns between them that are as they should be."""
    rng = maker.rng
    for number in range(first, first + events):
        if rng.random() < TURNS_SHARE:
            turn(watch, rng, number)
        watch.feed(maker.event())
        watch.wait(rng.choice([0.0, 0.0, 0.1, 0.5, 2.0]))


def turn(watch: Watch, rng: Random, number: int) -> None:
    """The caller says something and is answered; the answer is heard, or a part of it."""
    response, item = f"answer{number}", f"reply{number}"
    said = server.TranscriptionCompleted(f"turn{number}", 0, f"Question {number}, please.")
    marks: list[str] = []

    def feed(event: Event) -> None:
        sent = [action.message for action in watch.feed(event) if isinstance(action, ToCaller)]
        marks.extend(message.mark.name for message in sent if isinstance(message, twilio.SendMark))

    for event in (server.SpeechStarted(0, "x"), server.SpeechStopped(0, "x"), said):
        feed(event)
    if watch.under_way is not None:
        feed(done(watch.under_way))
    feed(created(response))
    for _ in range(rng.randrange(1, 7)):
        feed(delta(response, item, audio(600)))
    feed(words(response, item, f"Reply {number} has not many words, and no end"))
    if rng.random() < 0.2:
        feed(
            calls(response, f"call{number}", rng.choice(["book", "end_call", "transfer_call"]), TO)
        )
    if rng.random() < 0.7:
        feed(done(response))
    for mark in marks[: rng.randrange(len(marks) + 1)]:
        watch.wait(0.6)
        watch.feed(echo(mark, sid=watch.sid or ""))


def seeded(actions: list[Action], role: str) -> list[str]:
    """What a session is told that somebody said."""
    texts = []
    for action in actions:
        if isinstance(action, ToModel) and isinstance(action.event, client.CreateItem):
            item = action.event.item
            if isinstance(item, Message) and item.role == role:
                texts += [c.text for c in item.content if isinstance(c, InputText | OutputText)]
    return texts


def words_of(prefix: list[Fact]) -> tuple[list[str], list[str]]:
    """What caller and agent said, and was heard, according to some facts; read another way."""
    callers: list[str] = []
    agents: dict[str, str] = {}
    texts: dict[str, str] = {}
    for number, fact in enumerate(prefix):
        match fact:
            case facts.CallerSaid(text=text) if text:
                callers.append(text)
            case facts.DigitsPressed():
                callers.append(wording.keys_pressed(fact.digits))
            case facts.AgentHeard():
                texts[fact.item_id] = fact.text or texts.get(fact.item_id, "")
                known = heard_part(texts[fact.item_id], fact.heard_ms, fact.audio_ms)
                agents.pop(fact.item_id, None)
                agents[fact.item_id] = known
            case facts.AgentSaid():
                agents.pop(fact.item_id, None)
                agents[f"{number} {fact.item_id}"] = fact.heard_text
            case _:
                pass
    return callers, [text for text in agents.values() if text]


def goes_on(rng: Random, events: int, pods: int) -> None:
    """A random call whose pods are killed, each after any of its facts; the last one carries it.

    Whatever the next pod reads, its session is told each turn of the caller, each reply as it was
    heard, and nothing that was not.
    """
    call_plan = history_plan(rng)
    maker = Maker(rng)
    watch = Watch(Call(call_plan))
    for event in setup_events():
        watch.feed(event)
    live(watch, maker, events)
    told: list[tuple[float, Fact]] = []
    for pod in range(1, pods):
        told += watch.journal[: rng.randrange(len(watch.journal) + 1)]
        past = so_far.read(journal(told, begun=50.0))
        if past.ended is not None:
            return
        now = watch.now + 2.0
        call = Call(call_plan, Takeover(past, RESUMED, round(1000 * now)))
        watch = Watch(call, now, received=watch.received.copy())
        watch.feed(StreamStarted(NEXT_SID))
        if past.transfer is not None:
            assert watch.ended
            return
        watch.feed(ModelOpened("new", "m", 1))
        actions = watch.feed(server.SessionUpdated(VIEW))
        callers, agents = words_of([fact for _, fact in told])
        assert sorted(seeded(actions, "user")) == sorted(callers)
        assert sorted(seeded(actions, "assistant")) == sorted(agents)
        assert call.phase is (Phase.TALKING if past.ordered is None else Phase.CLOSING)
        live(watch, maker, events, first=pod * 1000)
    watch.outlive(maker.afterlife())


def test_any_call_goes_on_wherever_its_journals_end() -> None:
    """At a second pod, and at a third; then it ends as any call does."""
    for seed in range(CALLS):
        rng = Random(seed)
        goes_on(rng, rng.randrange(EVENTS), pods=3)


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 10))
def test_the_smallest_call_goes_on_too(rng: Random, events: int) -> None:
    """The same, where a failure is made as short as it can be."""
    goes_on(rng, events, pods=2)


@given(st.lists(st.binary(max_size=60)), st.randoms(use_true_random=False))
def test_no_journal_breaks_the_reader(payloads: list[bytes], rng: Random) -> None:
    """Whatever the texts are, and in whatever order: it says what it can."""
    facts_told: list[tuple[float, Fact]] = [
        (101.0, facts.ToolFinished("c9", "x", ok=True, output="", took_ms=0)),
        (101.0, heard("i1", "", 10)),
        (102.0, facts.EndTakenBack()),
    ]
    entries: list[Entry] = journal(facts_told)
    entries += [
        msgspec.structs.replace(entries[0], payload=payload.decode("utf-8", "surrogateescape"))
        for payload in payloads
    ]
    rng.shuffle(entries)
    assert so_far.read(entries).received == RECEIVED
