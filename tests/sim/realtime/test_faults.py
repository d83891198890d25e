import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.realtime.faults import (
    FAULTS_MAX,
    KINDS,
    Fault,
    Faults,
    FaultSyntaxError,
    parse,
)


def test_switches_are_read_as_they_are_written() -> None:
    """kind[=value][*times][@from[-until]]."""
    assert parse("stall") == Fault("stall")
    assert parse("fail_response=server_error*2") == Fault("fail_response", "server_error", 2)
    assert parse("handshake=429@10-20.5") == Fault("handshake", "429", None, 10.0, 20.5)
    assert parse(" expire=30*1@5 ") == Fault("expire", "30", 1, 5.0)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "nothing",
            "stall=",
            "stall=soon",
            "stall=nan",
            "expire=inf",
            "stall*x",
            "stall*0",
            "stall@-1",
        ),
        *("handshake=200", "handshake=777", "incomplete=boredom", "stall stall"),
    ],
)
def test_a_switch_written_wrongly_is_refused(text: str) -> None:
    """With a text that says how it is written, or which there are."""
    with pytest.raises(FaultSyntaxError):
        parse(text)


@given(st.text())
def test_any_text_is_a_switch_or_refused(text: str) -> None:
    """Nothing else is raised."""
    with contextlib.suppress(FaultSyntaxError):
        assert parse(text).kind in KINDS


def test_a_fault_happens_as_often_as_it_is_told() -> None:
    """Then it is used up, and the next of its kind has its turn."""
    faults = Faults((parse("fail_response=server_error*2"), parse("fail_response")))
    assert [faults.take("fail_response", 0.0) for _ in range(4)] == [
        "server_error",
        "server_error",
        "rate_limit_exceeded",
        "rate_limit_exceeded",
    ]
    assert faults.take("stall", 0.0) is None
    assert [fault.times for fault in faults.active()] == [None]


def test_a_fault_happens_in_its_window() -> None:
    """Seconds after the start, the end excluded."""
    faults = Faults((parse("handshake=503@10-20"),), started_at=1000.0)
    moments = (1009.9, 1010.0, 1019.9, 1020.0)
    assert [faults.take_number("handshake", at) for at in moments] == [None, 503, 503, None]


def test_switches_are_bounded_and_can_be_set_back() -> None:
    """A control page that is called in a loop fills no memory."""
    faults = Faults()
    for _ in range(FAULTS_MAX):
        faults.put(Fault("stall"))
    with pytest.raises(FaultSyntaxError, match="clear"):
        faults.put(Fault("stall"))
    faults.clear()
    assert faults.active() == []
    assert faults.take("stall", 0.0) is None


def test_every_switch_stands_in_the_handbook() -> None:
    """docs/howto/simulators.md names them all, and each says what it does here too."""
    handbook = (Path(__file__).parents[3] / "docs" / "howto" / "simulators.md").read_text()
    for kind, text in KINDS.items():
        assert f"`{kind}" in handbook, kind
        assert text
