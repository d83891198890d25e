import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.wire import twiml

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
STREAM = "wss://calls.example.com/pods/pod-1/media"
STATUS = "https://calls.example.com/twilio/stream-status"
RESUME = "https://calls.example.com/twilio/resume/a.b?x=1&y=2"


def stream(**parameters: str) -> str:
    return twiml.connect_stream(
        url=STREAM, status_callback=STATUS, parameters=parameters, then_redirect=RESUME
    )


DOCUMENTS: dict[str, tuple[str, str, tuple[twiml.Verb, ...]]] = {
    "stream": (
        stream(ticket='a"b<&>'),
        (
            f'<Response><Connect><Stream statusCallback="{STATUS}" url="{STREAM}">'
            '<Parameter name="ticket" value="a&quot;b&lt;&amp;&gt;" /></Stream></Connect>'
            "<Redirect>https://calls.example.com/twilio/resume/a.b?x=1&amp;y=2</Redirect></Response>"
        ),
        (
            twiml.Connect(
                twiml.StreamNoun(STREAM, status_callback=STATUS, parameters={"ticket": 'a"b<&>'})
            ),
            twiml.Redirect(RESUME),
        ),
    ),
    "hold": (
        twiml.pause_then_redirect(2, STATUS),
        f'<Response><Pause length="2" /><Redirect>{STATUS}</Redirect></Response>',
        (twiml.Pause(2), twiml.Redirect(STATUS)),
    ),
    "redirect": (
        twiml.redirect(STATUS),
        f"<Response><Redirect>{STATUS}</Redirect></Response>",
        (twiml.Redirect(STATUS),),
    ),
    "end": (twiml.hangup(), "<Response><Hangup /></Response>", (twiml.Hangup(),)),
    "busy": (
        twiml.reject("busy"),
        '<Response><Reject reason="busy" /></Response>',
        (twiml.Reject("busy"),),
    ),
    "rejected": (
        twiml.reject("rejected"),
        '<Response><Reject reason="rejected" /></Response>',
        (twiml.Reject(),),
    ),
    "transfer": (
        twiml.dial("+15550100002", caller_id="+15550100001", timeout_s=20),
        (
            '<Response><Dial callerId="+15550100001" timeout="20"><Number>+15550100002</Number>'
            "</Dial></Response>"
        ),
        (twiml.Dial((twiml.Number("+15550100002"),), timeout_s=20, caller_id="+15550100001"),),
    ),
    "transfer as the caller": (
        twiml.dial("+15550100002", caller_id=None, timeout_s=30),
        '<Response><Dial timeout="30"><Number>+15550100002</Number></Dial></Response>',
        (twiml.Dial((twiml.Number("+15550100002"),)),),
    ),
    "speech": (
        twiml.say_then_hangup("We are “full” <now>", voice="Polly.Joanna", language="en-GB"),
        (
            '<Response><Say language="en-GB" voice="Polly.Joanna">We are “full” &lt;now&gt;</Say>'
            "<Hangup /></Response>"
        ),
        (twiml.Say("We are “full” <now>", "Polly.Joanna", "en-GB"), twiml.Hangup()),
    ),
    "speech of the carrier's choice": (
        twiml.say_then_hangup("Bye", voice=None, language=None),
        "<Response><Say>Bye</Say><Hangup /></Response>",
        (twiml.Say("Bye"), twiml.Hangup()),
    ),
    "voicemail": (
        twiml.voicemail("Speak", max_length_s=60, action=STATUS),
        (
            f'<Response><Say>Speak</Say><Record action="{STATUS}" maxLength="60" playBeep="true" />'
            "<Hangup /></Response>"
        ),
        (twiml.Say("Speak"), twiml.Record(STATUS, max_length_s=60), twiml.Hangup()),
    ),
    "voicemail that nobody is told of": (
        twiml.voicemail("Speak", max_length_s=60, action=None),
        '<Response><Say>Speak</Say><Record maxLength="60" playBeep="true" /><Hangup /></Response>',
        (twiml.Say("Speak"), twiml.Record(max_length_s=60), twiml.Hangup()),
    ),
}
"""What is built, the document that Twilio gets, and how it is read."""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_what_twilio_documents(name: str) -> None:
    """Verbs, attributes and their order, character by character."""
    built, document, _ = DOCUMENTS[name]
    assert built == HEAD + document


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_built_is_read_without_a_warning(name: str) -> None:
    """The simulator understands all that the pod says."""
    built, _, verbs = DOCUMENTS[name]
    assert twiml.read(built) == twiml.Document(verbs)
    assert twiml.parse(built.encode()) == verbs
    assert ET.fromstring(built).tag == "Response"


def is_xml(character: str) -> bool:
    """XML 1.0, production 2."""
    code = ord(character)
    return (
        character in "\t\n\r"
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or (code >= 0x10000)
    )


@given(st.text(max_size=100))
def test_any_speech_makes_a_document(text: str) -> None:
    """Speech comes from people: whatever it holds, the caller hears the rest of it."""
    built = twiml.say_then_hangup(text, voice=None, language=None)
    assert ET.fromstring(built).tag == "Response"
    spoken, end = twiml.parse(built)
    assert isinstance(spoken, twiml.Say)
    assert end == twiml.Hangup()
    assert spoken.text.split() == "".join(filter(is_xml, text)).split()


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40), max_size=5))
def test_parameters_arrive_as_they_were_given(parameters: dict[str, str]) -> None:
    """No quote, sign or space of a value is lost; what XML can't hold is refused, not bent."""
    try:
        built = stream_of(parameters)
    except ValueError:
        assert not all(map(is_xml, "".join([*parameters, *parameters.values()])))
        return
    assert all(map(is_xml, "".join([*parameters, *parameters.values()])))
    connect = twiml.parse(built)[0]
    assert isinstance(connect, twiml.Connect)
    assert connect.stream.parameters == parameters


def stream_of(parameters: dict[str, str]) -> str:
    return twiml.connect_stream(
        url=STREAM, status_callback=STATUS, parameters=parameters, then_redirect=RESUME
    )


def test_the_longest_parameter() -> None:
    """Name and value stay below 500 characters together; one more is our own mistake."""
    connect = twiml.parse(stream(ticket="t" * 493))[0]
    assert isinstance(connect, twiml.Connect)
    assert connect.stream.parameters == {"ticket": "t" * 493}
    with pytest.raises(ValueError, match="499"):
        stream(ticket="t" * 494)
    with pytest.raises(ValueError, match="parameter"):
        stream_of({"": "x"})


@pytest.mark.parametrize(
    "url",
    [
        "/twilio/resume",
        "calls.example.com/x",
        "ftp://a/b",
        "https://",
        "https://a/b c",
        "https://a/\n",
        "",
        "https://[/",
    ],
)
def test_a_url_that_is_not_absolute_is_refused(url: str) -> None:
    """An inline document has no address that a relative one could lean on."""
    builders: list[Callable[[], str]] = [
        lambda: twiml.pause_then_redirect(1, url),
        lambda: twiml.redirect(url),
        lambda: twiml.voicemail("x", max_length_s=1, action=url),
        lambda: twiml.connect_stream(
            url=STREAM, status_callback=url, parameters={}, then_redirect=STATUS
        ),
        lambda: twiml.connect_stream(
            url=STREAM, status_callback=STATUS, parameters={}, then_redirect=url
        ),
        lambda: twiml.connect_stream(
            url=url, status_callback=STATUS, parameters={}, then_redirect=STATUS
        ),
    ]
    for build in builders:
        with pytest.raises(ValueError):  # noqa: PT011 - urlsplit has words of its own
            build()


@pytest.mark.parametrize("url", ["https://a/b", STREAM + "?x=1", STREAM + "#x", "wss:///b"])
def test_a_stream_goes_to_a_socket_without_a_query(url: str) -> None:
    """Twilio takes wss only (31922), and a query does not arrive (31920)."""
    with pytest.raises(ValueError, match="URL"):
        twiml.connect_stream(url=url, status_callback=STATUS, parameters={}, then_redirect=STATUS)


def test_inline_documents_have_a_limit() -> None:
    """The Calls API takes 4000 characters; the longest that fits passes as it is."""
    short = twiml.hangup()
    assert twiml.inline(short) == short
    spare = twiml.INLINE_CHARS_MAX - len(twiml.say_then_hangup("x", voice=None, language=None)) + 1
    assert twiml.inline(twiml.say_then_hangup("x" * spare, voice=None, language=None))
    with pytest.raises(ValueError, match="4000"):
        twiml.inline(twiml.say_then_hangup("x" * (spare + 1), voice=None, language=None))


def test_long_speech_is_cut() -> None:
    """Better an end that is missing than a call that breaks."""
    spoken = twiml.parse(twiml.say_then_hangup("x" * 5000, voice=None, language=None))[0]
    assert spoken == twiml.Say("x" * twiml.SAY_CHARS_MAX)


@pytest.mark.parametrize(
    "build",
    [
        lambda: twiml.pause_then_redirect(0, STATUS),
        lambda: twiml.dial("", caller_id=None, timeout_s=1),
        lambda: twiml.dial("+1555\0", caller_id=None, timeout_s=1),
        lambda: twiml.dial("+15550100001", caller_id="\ud800", timeout_s=1),
        lambda: stream(ticket="\x1b"),
    ],
)
def test_our_own_mistakes_are_refused(build: Callable[[], str]) -> None:
    """Better before the call than during it."""
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        build()
