"""Faults: off by default, and each bad message is what its name says."""

import json
import random
from dataclasses import fields

import pytest

from trunkline.errors import CarrierProtocolError
from trunkline.sim.carrier.faults import NO_FAULTS, Faults, Garbage, bad_message
from trunkline.wire import twilio as wire

START = wire.encode(
    wire.Start(
        wire.StartFields(
            "AC1", "MZ1", "CA1", ["inbound"], wire.MediaFormat("audio/x-mulaw", 8000, 1)
        ),
        "MZ1",
        "1",
    )
)


def test_all_faults_are_off_by_default() -> None:
    """A simulator without options is a carrier on a good day."""
    assert Faults() == NO_FAULTS
    lengths = {"resets_max", "after_loss_s", "duplicate_after_ms"}
    lengths |= {"slow_reader_for_s", "jitter_ms_max", "garbage_every_s"}
    for switch in fields(Faults):
        value = getattr(NO_FAULTS, switch.name)
        off = value in {0, "", "off", "valid", "next-verb"} or value == ()
        assert off or switch.name in lengths, switch.name


@pytest.mark.parametrize("kind", list(Garbage))
def test_a_bad_message_is_bad(kind: Garbage) -> None:
    """Refused or unknown to a right server's codec, or right in form and wrong in this place."""
    bad = bad_message(kind, "MZ1", 100, START, random.Random(1))
    assert bad.binary == (kind is Garbage.BINARY)
    try:
        message = wire.decode(bad.data)
    except CarrierProtocolError:
        wrong_form = True
    else:
        wrong_form = isinstance(message, wire.Unknown)
        if kind is Garbage.SECOND_START:
            assert isinstance(message, wire.Start)
        if kind is Garbage.OUT_OF_ORDER:
            assert isinstance(message, wire.Media)
            assert int(message.sequence_number) < 100
        if kind is Garbage.FOREIGN_SID:
            assert isinstance(message, wire.Media)
            assert message.stream_sid != "MZ1"
        if kind is Garbage.NOT_BASE64:
            assert json.loads(bad.data)["media"]["payload"] == '"}},!'
    right_form = {Garbage.SECOND_START, Garbage.OUT_OF_ORDER, Garbage.FOREIGN_SID}
    assert wrong_form == (kind not in right_form | {Garbage.NOT_BASE64})
