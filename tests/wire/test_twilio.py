import base64
import json
import types
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trunkline.errors import CarrierProtocolError
from trunkline.wire import twilio
from trunkline.wire.twilio import MALFORMED, MESSAGE_BYTES_MAX, NOT_ACCEPTABLE
from wire import hostile, records

CALL = "CA00000000000000000000000000000001"
STREAM = "MZ00000000000000000000000000000001"
ACCOUNT = "AC00000000000000000000000000000001"
SILENCE_20_MS = base64.b64encode(b"\xff" * 160).decode()


def start(parameters: dict[str, str]) -> tuple[records.Tree, twilio.Start]:
    media_format: records.Tree = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    tree: records.Tree = {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": STREAM,
        "start": {
            "accountSid": ACCOUNT,
            "streamSid": STREAM,
            "callSid": CALL,
            "tracks": ["inbound"],
            "mediaFormat": media_format,
            "customParameters": {**parameters},
        },
    }
    ulaw = twilio.MediaFormat("audio/x-mulaw", 8000, 1)
    fields = twilio.StartFields(ACCOUNT, STREAM, CALL, ["inbound"], ulaw, parameters)
    return tree, twilio.Start(fields, STREAM, "1")


def media(
    number: int | str, track: str, chunk: int | str, at: int | str
) -> tuple[records.Tree, twilio.Media]:
    tree: records.Tree = {
        "event": "media",
        "sequenceNumber": number,
        "streamSid": STREAM,
        "media": {"track": track, "chunk": chunk, "timestamp": at, "payload": SILENCE_20_MS},
    }
    return tree, twilio.Media(twilio.MediaFields(SILENCE_20_MS, track, chunk, at), STREAM, number)


FROM_CARRIER: dict[str, tuple[records.Tree, twilio.Encodable]] = {
    "connected": (
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        twilio.Connected(),
    ),
    "start": start({"ticket": 'a"b', "é": "\0"}),
    "start without parameters": start({}),
    "media": media("4", "inbound", "3", "60"),
    "media with numbers": media(4, "outbound", 3, 60),
    "dtmf": (
        {
            "event": "dtmf",
            "sequenceNumber": "9",
            "streamSid": STREAM,
            "dtmf": {"track": "inbound_track", "digit": "#"},
        },
        twilio.Dtmf(twilio.DtmfFields("#"), STREAM, "9"),
    ),
    "mark": (
        {
            "event": "mark",
            "sequenceNumber": "12",
            "streamSid": STREAM,
            "mark": {"name": "t7-a3"},
        },
        twilio.Mark(twilio.MarkFields("t7-a3"), STREAM, "12"),
    ),
    "stop": (
        {
            "event": "stop",
            "sequenceNumber": "500",
            "streamSid": STREAM,
            "stop": {"accountSid": ACCOUNT, "callSid": CALL},
        },
        twilio.Stop(twilio.StopFields(ACCOUNT, CALL), STREAM, "500"),
    ),
}

TO_CARRIER: dict[str, tuple[records.Tree, twilio.ToCarrier]] = {
    "media": (
        {"event": "media", "streamSid": STREAM, "media": {"payload": SILENCE_20_MS}},
        twilio.SendMedia(STREAM, twilio.SendPayload(SILENCE_20_MS)),
    ),
    "media of any length": (
        {"event": "media", "streamSid": STREAM, "media": {"payload": "/w=="}},
        twilio.SendMedia(STREAM, twilio.SendPayload("/w==")),
    ),
    "mark": (
        {"event": "mark", "streamSid": STREAM, "mark": {"name": '"é\0'}},
        twilio.SendMark(STREAM, twilio.SendMarkFields('"é\0')),
    ),
    "clear": ({"event": "clear", "streamSid": STREAM}, twilio.SendClear(STREAM)),
}
"""Each message as it stands on the wire (Twilio's order of fields), and as its record."""

KNOWN = twilio.Connected | twilio.Start | twilio.Media | twilio.Dtmf | twilio.Mark | twilio.Stop


@pytest.mark.parametrize("name", FROM_CARRIER)
def test_the_carriers_messages_are_read(name: str) -> None:
    """Each message as Twilio sends it, in any form of text that a socket may hand over."""
    tree, message = FROM_CARRIER[name]
    text = json.dumps(tree)
    octets = text.encode()
    for form in (text, octets, bytearray(octets), memoryview(octets)):
        assert twilio.decode(form) == message


@pytest.mark.parametrize("name", FROM_CARRIER)
def test_the_carriers_messages_are_written(name: str) -> None:
    """What the simulator sends is what the table says Twilio sends."""
    tree, message = FROM_CARRIER[name]
    assert json.loads(twilio.encode(message)) == tree


@pytest.mark.parametrize("name", FROM_CARRIER)
def test_a_carriers_message_cut_anywhere_is_malformed(name: str) -> None:
    """No beginning of a message is a message."""
    for cut in hostile.cuts(json.dumps(FROM_CARRIER[name][0], ensure_ascii=False).encode()):
        with pytest.raises(CarrierProtocolError) as refusal:
            twilio.decode(cut)
        assert refusal.value.code == MALFORMED


@pytest.mark.parametrize("name", TO_CARRIER)
def test_our_messages_are_read_by_the_carrier(name: str) -> None:
    """What the pod sends is what the simulator reads."""
    tree, message = TO_CARRIER[name]
    assert twilio.decode_from_server(json.dumps(tree)) == message


@pytest.mark.parametrize("name", TO_CARRIER)
def test_our_messages_are_written(name: str) -> None:
    """The fields that Twilio documents, and no other."""
    tree, message = TO_CARRIER[name]
    assert json.loads(twilio.encode(message)) == tree


@pytest.mark.parametrize("name", TO_CARRIER)
def test_our_message_cut_anywhere_is_refused(name: str) -> None:
    """Text that is not JSON is warning 31951 in this direction."""
    for cut in hostile.cuts(json.dumps(TO_CARRIER[name][0], ensure_ascii=False).encode()):
        with pytest.raises(CarrierProtocolError) as refusal:
            twilio.decode_from_server(cut)
        assert refusal.value.code == NOT_ACCEPTABLE


@pytest.mark.parametrize("kind", records.kinds(KNOWN), ids=lambda k: k.__name__)
@given(st.data())
def test_every_message_of_the_carrier_comes_back(
    kind: type[msgspec.Struct], data: st.DataObject
) -> None:
    """Writing and reading lose nothing, whatever the strings and numbers are."""
    message = data.draw(records.of(kind))
    assert twilio.decode(msgspec.json.encode(message)) == message


@pytest.mark.parametrize("kind", records.kinds(twilio.ToCarrier), ids=lambda k: k.__name__)
@given(st.data())
def test_every_message_of_ours_comes_back(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """The same in the other direction: nothing that we can send is refused."""
    message = data.draw(records.of(kind))
    assert twilio.decode_from_server(msgspec.json.encode(message)) == message


@pytest.mark.parametrize("union", [twilio.FromCarrier, twilio.ToCarrier])
def test_the_table_has_every_message(union: types.UnionType) -> None:
    """A message without a case in a table would be one that nobody looked at."""
    table = FROM_CARRIER if union is twilio.FromCarrier else TO_CARRIER
    covered = {type(message) for _, message in table.values()}
    assert set(records.kinds(union)) - {twilio.Unknown} == covered


@pytest.mark.parametrize("event", ["", "connected2", "Media", "clear", "é", "x" * 9000, '"'])
def test_an_event_of_an_unknown_kind_is_unknown(event: str) -> None:
    """Twilio may send something new: it has a name and is no error."""
    text = json.dumps({"sequenceNumber": "1", "event": event, "new": {"a": [1]}})
    assert twilio.decode(text) == twilio.Unknown(event)


def test_new_fields_of_the_carrier_are_ignored() -> None:
    """What Twilio adds to a known message does not cost us the message."""
    text = (
        f'{{"new":[{{}}],"event":"mark","mark":{{"name":"a","b":1}},"streamSid":"{STREAM}",'
        '"sequenceNumber":"1"}'
    )
    assert twilio.decode(text) == twilio.Mark(twilio.MarkFields("a"), STREAM, "1")


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"mark"}',
        '{"event":"mark","mark":{},"streamSid":"MZ1","sequenceNumber":"1"}',
        '{"event":"mark","mark":{"name":1},"streamSid":"MZ1","sequenceNumber":"1"}',
        '{"event":"mark","mark":[],"streamSid":"MZ1","sequenceNumber":"1"}',
        '{"event":"mark","mark":{"name":"a"},"streamSid":null,"sequenceNumber":"1"}',
        '{"event":"mark","mark":{"name":"a"},"streamSid":"MZ1","sequenceNumber":1.5}',
        '{"event":"mark","mark":{"name":"a"},"streamSid":"MZ1","sequenceNumber":1e400}',
        '{"event":"media","media":{"track":"inbound"},"streamSid":"MZ1","sequenceNumber":"1"}',
    ],
)
def test_a_known_message_in_a_wrong_shape_is_not_acceptable(text: str) -> None:
    """Missing fields and wrong types of a known event are no `Unknown`."""
    with pytest.raises(CarrierProtocolError) as refusal:
        twilio.decode(text)
    assert refusal.value.code == NOT_ACCEPTABLE


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"start","streamSid":"MZ1"}',
        '{"event":"connected"}',
        '{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"1"}}',
        '{"event":"clear"}',
        '{"event":"clear","streamSid":"MZ1","sequenceNumber":"1"}',
        '{"event":"clear","streamSid":1}',
        '{"event":"mark","streamSid":"MZ1","mark":{"name":"a","x":1}}',
        '{"event":"mark","streamSid":"MZ1"}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"/w==","track":"outbound"}}',
        '{"event":"media","streamSid":"MZ1","media":{}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"/w="}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"_w=="}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"/w==\\n"}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"/w==\\"}"}}',
        '{"stream":"MZ1"}',
        "[]",
        "hello",
    ],
)
def test_the_carrier_is_strict_with_what_a_server_sends(text: str) -> None:
    """Unknown events, missing and surplus fields, and payloads that can't be played: 31951."""
    with pytest.raises(CarrierProtocolError) as refusal:
        twilio.decode_from_server(text)
    assert refusal.value.code == NOT_ACCEPTABLE


def test_a_payload_can_not_break_out_of_its_quotes() -> None:
    """What the carrier or the model sent is encoded, never pasted into JSON text."""
    payload = '"}},{"event":"clear","streamSid":"'
    text = twilio.encode(twilio.SendMedia(STREAM, twilio.SendPayload(payload)))
    assert json.loads(text)["media"] == {"payload": payload}


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_text_is_refused(name: str) -> None:
    """Whatever a text does to a parser, the answer is the protocol's error or `Unknown`."""
    for read in (twilio.decode, twilio.decode_from_server):
        with pytest.raises(CarrierProtocolError):
            read(hostile.TEXTS[name])


@given(hostile.garbage | hostile.json_like.map(msgspec.json.encode))
@example(b'{"event":"mark","mark":{"name":"\\ud800"},"streamSid":"a","sequenceNumber":"1"}')
def test_reading_is_total(text: bytes | str) -> None:
    """Garbage never raises anything but the protocol's error."""
    for read in (twilio.decode, twilio.decode_from_server):
        try:
            read(text)
        except CarrierProtocolError as error:
            assert error.code in {MALFORMED, NOT_ACCEPTABLE}  # noqa: PT017 - may also succeed


@pytest.mark.parametrize("read", [twilio.decode, twilio.decode_from_server])
def test_an_oversized_message_is_refused_unread(
    read: Callable[[str], twilio.Mark | twilio.SendMark],
) -> None:
    """At the limit a message is read; one byte more is malformed, however well formed."""
    frame = f'{{"event":"mark","streamSid":"{STREAM}","mark":{{"name":"%s"}}%s}}'
    rest = ',"sequenceNumber":"1"' if read is twilio.decode else ""
    fill = MESSAGE_BYTES_MAX - len(frame % ("", rest))
    assert read(frame % ("a" * fill, rest)).mark.name == "a" * fill
    with pytest.raises(CarrierProtocolError) as refusal:
        read(frame % ("a" * (fill + 1), rest))
    assert refusal.value.code == MALFORMED


@pytest.mark.parametrize(("given_", "number"), [(7, 7), ("7", 7), ("0", 0), ("9" * 18, 10**18 - 1)])
def test_numbers_are_numbers_in_both_forms(given_: int | str, number: int) -> None:
    """Twilio writes numbers as strings, its documentation as numbers."""
    assert twilio.number(given_) == number


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1.5", "٣", "²", " 1", "1_0", "9" * 19, "9" * 5000]
)
def test_a_number_that_is_none_is_refused(text: str) -> None:
    """`int` itself would take some of these, and fall over the longest."""
    with pytest.raises(CarrierProtocolError):
        twilio.number(text)


def test_half_a_character_can_not_be_sent() -> None:
    """A string of ours that is no Unicode raises the protocol's error, not the codec's."""
    with pytest.raises(CarrierProtocolError):
        twilio.encode(twilio.SendMark(STREAM, twilio.SendMarkFields("\ud800")))


def test_an_error_holds_no_word_of_the_message() -> None:
    """Errors are logged; what callers said and who they are is not."""
    for text in ('{"event":"start","callSid":"secret"}', '{"event":"media","media":"secret"}'):
        with pytest.raises(CarrierProtocolError) as refusal:
            twilio.decode(text)
        assert "secret" not in str(refusal.value)
