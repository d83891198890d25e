"""The status of one call leg."""

import random
from dataclasses import replace

import pytest

from sim.carrier_bench import PLAN
from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.forms import STATUS_EVENTS
from trunkline.sim.carrier.leg import Leg
from trunkline.sim.carrier.outbox import Outbox
from trunkline.sim.carrier.phases import NEXT, OVER, Phase
from trunkline.sim.carrier.report import Diary


def leg(*events: str) -> tuple[Leg, Outbox]:
    outbox = Outbox(Account(), random.Random(1))
    plan = replace(PLAN, direction="outbound-api", status_events=events)
    return Leg(plan, Account(), outbox, Diary()), outbox


def test_each_wanted_event_is_told_once_numbered_from_0() -> None:
    """Unwanted ones have no number."""
    one, outbox = leg("ringing", "completed")
    one.rings(1.0)
    one.is_answered(2.0)
    one.ends(Phase.COMPLETED, "caller", 5.5)
    forms = [request.form for request in outbox.due(9.0)]
    assert [(form["CallStatus"], form["SequenceNumber"]) for form in forms] == [
        ("ringing", "0"),
        ("completed", "1"),
    ]
    assert forms[1]["CallDuration"] == "4"
    assert one.talked_s == 4


def test_a_call_that_is_over_stays_over() -> None:
    """The table has no way out, and the machine asserts it."""
    assert all(not NEXT[phase] for phase in OVER)
    assert set(NEXT) == set(Phase)
    one, _ = leg(*STATUS_EVENTS)
    one.rings(1.0)
    one.ends(Phase.BUSY, "callee", 2.0)
    assert one.is_over
    assert one.talked_s == 0
    with pytest.raises(AssertionError):
        one.is_answered(3.0)
