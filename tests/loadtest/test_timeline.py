"""What goes wrong, and when."""

import pytest

from trunkline.errors import SettingsError
from trunkline.loadtest.timeline import (
    FAULTS_MAX,
    Fault,
    Moment,
    carrier_faults,
    moments,
    parse,
    parse_all,
    switches,
)
from trunkline.sim.carrier.faults import AfterLoss, Faults, Garbage, Signature
from trunkline.sim.realtime import faults as model


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("20s model.refuse=10s", Fault(20.0, "model", "refuse", "", 10.0)),
        ("1.5 model.think:2.5=3", Fault(1.5, "model", "think", "2.5", 3.0)),
        (" 3s  model.reset ", Fault(3.0, "model", "reset")),
        ("0s carrier.reset_after_s:3=5s", Fault(0.0, "carrier", "reset_after_s", "3", 5.0)),
    ],
)
def test_a_fault_is_read(text: str, fault: Fault) -> None:
    """As it is written on the command line."""
    assert parse(text) == fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("20s", "write it as --at 20s model.refuse=10s"),
        ("soon model.refuse=10s", "'soon' is no time in seconds"),
        ("20s model.refuse=10m", "'10m' is no time in seconds"),
        ("20s model.sleep=10s", "no such fault; there are: refuse, handshake"),
        ("20s model.think=10s", ""),
        ("20s model.think:much=10s", "think takes a number"),
        ("20s model.think", "say for how long: model.think=10s"),
        ("20s carrier.sleep=10s", "no such fault; there are: webhook_signature"),
        ("20s carrier.no_stop", "strikes calls that begin meanwhile; say for how long"),
        ("20s carrier.garbage:sand=1s", "it takes not-json, binary"),
        ("20s carrier.reset_after_s=1s", "it takes a number; write it as carrier.reset_after_s:"),
        ("20s carrier.parameters:a=1s", "can't be given here"),
    ],
)
def test_what_is_written_wrongly_is_told(text: str, told: str) -> None:
    """In one line, with the names or the form."""
    if not told:
        parse(text)
        return
    with pytest.raises(SettingsError, match=told) as refused:
        parse(text)
    assert "\n" not in str(refused.value)


def test_a_timeline_is_in_order_and_ends_with_the_test() -> None:
    """A fault after the end would never be seen."""
    faults = parse_all(["9s model.reset", "2s model.stall"], seconds=10)
    assert [fault.at_s for fault in faults] == [2.0, 9.0]
    with pytest.raises(SettingsError, match="the test is over by then; raise --seconds"):
        parse_all(["10s model.reset"], seconds=10)
    with pytest.raises(SettingsError, match=f"{FAULTS_MAX} faults at most"):
        parse_all(["1s model.reset"] * (FAULTS_MAX + 1), seconds=10)


def test_the_models_switches_are_on_its_own_clock() -> None:
    """It was started before the test."""
    faults = parse_all(["20s model.refuse=10s", "5s model.reset", "6s model.stall=2s"], 60)
    assert switches(faults, offset_s=3.0) == [
        model.Fault("stall", "", None, 9.0, 11.0),
        model.Fault("handshake", "503", None, 23.0, 33.0),
    ]
    assert moments(faults) == [Moment(5.0, "reset"), Moment(6.0, "stall")]


def test_the_carriers_faults_strike_calls_that_begin_meanwhile() -> None:
    """All that hold at that moment, each in its own type, beside what is usual."""
    texts = [
        "2s carrier.garbage:binary=4s",
        "3s carrier.after_loss:hang-up=1s",
        "3s carrier.refuse_streams=1s",
        "3s carrier.no_stop=1s",
        "3s carrier.callback_loss:0.5=1s",
    ]
    faults = parse_all(texts, 10)
    unsigned = Faults(webhook_signature=Signature.MISSING)
    assert carrier_faults(faults, 1.9) is None
    assert carrier_faults(faults, 2.0, unsigned) == Faults(
        webhook_signature=Signature.MISSING, garbage=(Garbage.BINARY,)
    )
    assert carrier_faults(faults, 3.5) == Faults(
        garbage=(Garbage.BINARY,),
        after_loss=AfterLoss.HANG_UP,
        refuse_streams=1,
        no_stop=True,
        callback_loss=0.5,
    )
    assert carrier_faults(faults, 6.0) is None
