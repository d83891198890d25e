"""What the pod adds on the way, measured at both far ends' sockets, in their one clock.

Judged is only that every frame came, once and in order: figures depend on the machine, and are
printed (`pytest -rP tests/acceptance/test_latency.py`).
"""

import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from acceptance.far_pod import far_pod
from acceptance.played import BYTES_PER_MS, Played, Role, play
from acceptance.scene import KEY
from trunkline.sim.caller import HangUp, Interrupt, Listen, Say
from trunkline.sim.ledger import Ledger, added_latency, clear_latency, fingerprint
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import Said
from trunkline.sim.speech import SILENCE
from trunkline.sim.turns import Turn

pytestmark = pytest.mark.anyio

CALLS: Final = 20
MARKED_CALLS: Final = 5

SCRIPT: Final = (
    Listen(until_silence_ms=400),
    Say("tell me everything"),
    Interrupt(1000, "stop please"),
    Listen(until_silence_ms=400),
    HangUp(),
)

QUIET: Final = fingerprint(b64encode(SILENCE))
DELTA_BYTES: Final = RealtimeSimOptions().delta_ms * BYTES_PER_MS


async def test_added_latency(redis_url: str, database_url: str, tmp_path: Path) -> None:
    """Both ways, the frames of interruptions and the `clear` that answers them included."""
    roles = {
        str(number): Role(to="+15550100002", script=SCRIPT, after_s=0.07 * number)
        for number in range(CALLS)
    }
    async with far_pod(redis_url, database_url, tmp_path) as here:
        calls = await play(here, roles)
    figures: dict[str, list[float]] = {
        "caller to model": [],
        "  of them interruptions": [],
        "model to caller": [],
        "speech began to clear": [],
        "interruption to silence": [],
    }
    for call in calls.values():
        call.agrees()
        carrier, model = call.report.ledger, call.model.ledger
        interruptions = [turn for turn in call.report.turns if turn.interrupted]
        assert len(interruptions) == 1
        _every_frame_came(call, interruptions)
        _every_delta_came(call)
        cleared = clear_latency(model, carrier)
        assert len(cleared) == call.report.streams[0].clears == 1
        figures["caller to model"] += added_latency(carrier, model)
        for turn in interruptions:
            figures["  of them interruptions"] += added_latency(sent_in(turn, carrier), model)
        figures["model to caller"] += added_latency(model, carrier)
        figures["speech began to clear"] += cleared
        figures["interruption to silence"] += [ms / 1000 for ms in call.report.barge_ins_ms]
    assert all(min(seconds) >= 0 for seconds in figures.values())
    sys.stdout.write("".join(map(_row, figures.items())))


async def test_marks_of_time(redis_url: str, database_url: str, tmp_path: Path) -> None:
    """The same by marks in the audio, as a far end in another process would read them."""
    roles = {
        str(number): Role(to="+15550100002", script=SCRIPT, after_s=0.07 * number)
        for number in range(MARKED_CALLS)
    }
    model = RealtimeSimOptions(keys=(KEY,), marks=True)
    async with far_pod(redis_url, database_url, tmp_path, model=model, marks_from=41) as here:
        calls = await play(here, roles)
    numbers = set()
    for call in calls.values():
        call.agrees()
        caller, heard = call.report.marks, call.model.marks
        assert caller is not None
        assert heard is not None
        assert caller.call == heard.call
        numbers.add(caller.call)
        assert caller.sent == call.report.frames_sent
        assert 0 < heard.came.count <= caller.sent
        for came in (caller.came, heard.came):
            assert not came.lost + came.doubled + came.reordered + came.crossed, came.as_figures()
            sys.stdout.write(f"{came.as_figures()}\n")
        assert len(clear_latency(call.model.ledger, call.report.ledger)) == 1
    assert numbers == set(range(41, 41 + MARKED_CALLS))


def _every_frame_came(call: Played, interruptions: Sequence[Turn]) -> None:
    """What the caller said is what the model heard: no frame lost, doubled or out of order."""
    carrier, model = call.report.ledger, call.model.ledger
    sent, came = _marks(carrier.departures), _marks(model.arrivals)
    assert len(sent) > 50
    assert came == sent
    assert len(added_latency(carrier, model)) == len(carrier.departures)
    for turn in interruptions:
        frames = sent_in(turn, carrier)
        assert frames.departures
        assert len(added_latency(frames, model)) == len(frames.departures)


def _every_delta_came(call: Played) -> None:
    """What the model said came to the carrier; of an item that was cut, what came before."""
    came = [mark for mark, _ in call.report.ledger.arrivals]
    for item in call.model.said:
        marks = _deltas(item)
        there = 0
        while there < min(len(marks), len(came)) and came[there] == marks[there]:
            there += 1
        assert there == len(marks) or (item.heard_ms is not None and there > 0)
        del came[:there]
    assert not came
    arrived = len(call.report.ledger.arrivals)
    assert len(added_latency(call.model.ledger, call.report.ledger)) == arrived


def sent_in(turn: Turn, ledger: Ledger) -> Ledger:
    """The frames of one utterance."""
    assert turn.ended_at is not None
    frames = Ledger()
    frames.departures.extend(
        (mark, at)
        for mark, at in ledger.departures
        if turn.began_at <= at <= turn.ended_at and mark != QUIET
    )
    return frames


def _deltas(item: Said) -> list[int]:
    """An item's audio as it was sent, delta by delta."""
    audio = bytes(item.audio)
    pieces = (audio[at : at + DELTA_BYTES] for at in range(0, len(audio), DELTA_BYTES))
    return [fingerprint(b64encode(piece)) for piece in pieces]


def _marks(stamps: Sequence[tuple[int, float]]) -> list[int]:
    """Which frames, without those of silence: all of them are alike."""
    return [mark for mark, _ in stamps if mark != QUIET]


def _row(named: tuple[str, list[float]]) -> str:
    name, seconds = named
    ordered = sorted(seconds)
    half, most = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return (
        f"{name:<26} p50 {1000 * half:6.1f} ms   p99 {1000 * most:6.1f} ms   "
        f"max {1000 * ordered[-1]:6.1f} ms   ({len(ordered)})\n"
    )
