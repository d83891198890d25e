"""Messages in their usual form: exactly what the codecs read and write."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import CarrierProtocolError, ModelProtocolError
from trunkline.sim.usual import USUAL_BYTES_MAX, UsualMedia, appended, base64_of
from trunkline.wire import twilio
from trunkline.wire.realtime import client

SID = "MZ" + "0" * 32
MEDIA = UsualMedia(SID)
SEND = twilio.SendMedia(SID, twilio.SendPayload("//8="))


@given(st.binary(max_size=400), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_frame_is_written_as_the_codec_writes_it(audio: bytes, chunk: int, number: int) -> None:
    """To the byte."""
    payload = b64encode(audio)
    fields = twilio.MediaFields(payload.decode(), "inbound", str(chunk), str(20 * chunk))
    whole = twilio.Media(fields, SID, str(number))
    assert MEDIA.written(payload, chunk, 20 * chunk, number) == twilio.encode(whole)
    assert base64_of(audio) == payload


@given(st.binary(max_size=400))
def test_what_our_codecs_write_is_usual(audio: bytes) -> None:
    """Both ways."""
    payload = b64encode(audio).decode()
    assert MEDIA.read(twilio.encode(twilio.SendMedia(SID, twilio.SendPayload(payload)))) == audio
    assert appended(client.encode(client.AppendAudio(payload))) == audio


@given(st.integers(0, 120), st.binary(max_size=6), st.integers(0, 4))
def test_whatever_is_usual_the_codec_reads_just_so(at: int, there: bytes, cut: int) -> None:
    """A message changed anywhere is read as the codec reads it, or not at all."""
    text = twilio.encode(SEND)
    text = text[:at] + there + text[at + cut :]
    audio = MEDIA.read(text)
    if audio is not None:
        expected = twilio.SendMedia(SID, twilio.SendPayload(b64encode(audio).decode()))
        assert twilio.decode_from_server(text) == expected
    append = client.encode(client.AppendAudio("//8="))
    append = append[:at] + there + append[at + cut :]
    audio = appended(append)
    if audio is not None:
        assert client.decode(append) == client.AppendAudio(b64encode(audio).decode())


@pytest.mark.parametrize("payload", ["//8", "//8=A", "//8=\\n", "/ /8=", "\u00ff", "=", "A"])
def test_what_the_codecs_refuse_is_never_usual(payload: str) -> None:
    """No base64, not padded, or with anything besides."""
    text = twilio.encode(SEND).replace(b"//8=", payload.encode())
    append = client.encode(client.AppendAudio("//8=")).replace(b"//8=", payload.encode())
    assert MEDIA.read(text) is None
    assert appended(append) is None
    with pytest.raises(CarrierProtocolError):
        twilio.decode_from_server(text)
    with pytest.raises(ModelProtocolError):
        client.decode(append)


def test_another_streams_and_a_long_message_go_to_the_codec() -> None:
    """It says what is wrong with them."""
    assert UsualMedia("MZ" + "1" * 32).read(twilio.encode(SEND)) is None
    payload = "A" * USUAL_BYTES_MAX
    assert MEDIA.read(twilio.encode(twilio.SendMedia(SID, twilio.SendPayload(payload)))) is None
    assert appended(client.encode(client.AppendAudio(payload))) is None
