import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import CarrierProtocolError
from trunkline.wire.twiml_reading import (
    DEPTH_MAX,
    DOCUMENT_BYTES_MAX,
    UNPARSABLE,
    parse,
    read,
)
from trunkline.wire.verbs import (
    Connect,
    Dial,
    Document,
    Enqueue,
    Gather,
    Hangup,
    Number,
    Pause,
    Play,
    Record,
    Redirect,
    Reject,
    Say,
    StreamNoun,
    Verb,
)
from wire import hostile

CASES: dict[str, tuple[str, tuple[Verb, ...]]] = {
    "nothing": ("", ()),
    "stream": (
        (
            '<Connect action="/a" method="GET"><Stream url="wss://a/b" name="n"'
            ' track="inbound_track"'
            ' statusCallback="https://a/c" statusCallbackMethod="GET">'
            '<Parameter name="a" value="1"/><Parameter value="" name="b"/></Stream></Connect>'
        ),
        (
            Connect(
                StreamNoun(
                    "wss://a/b",
                    "n",
                    status_callback="https://a/c",
                    status_callback_method="GET",
                    parameters={"a": "1", "b": ""},
                ),
                "/a",
                "GET",
            ),
        ),
    ),
    "redirects": (
        "<Redirect method='GET'>\n https://a/b?x=1&amp;y=2 </Redirect><Redirect>/c</Redirect>",
        (Redirect("https://a/b?x=1&y=2", "GET"), Redirect("/c")),
    ),
    "pauses": ('<Pause/><Pause length="10"/>', (Pause(1), Pause(10))),
    "speech": (
        '<Say voice="alice" language="de-DE" loop="0">Guten\n  Tag &#x263A; <!-- x --></Say>',
        (Say("Guten Tag ☺", "alice", "de-DE", 0),),
    ),
    "play": (
        '<Play loop="2">https://a/b.wav</Play><Play digits="1w2"/>',
        (Play("https://a/b.wav", loop=2), Play(digits="1w2")),
    ),
    "dial": (
        (
            '<Dial action="/a" timeout="5" timeLimit="60" callerId="+15550100001"'
            ' answerOnBridge="true"><Number sendDigits="1" url="/u">+15550100002</Number>'
            "<Number>+15550100003</Number></Dial>"
        ),
        (
            Dial(
                (Number("+15550100002", "1", "/u"), Number("+15550100003")),
                "/a",
                timeout_s=5,
                time_limit_s=60,
                caller_id="+15550100001",
                answer_on_bridge=True,
            ),
        ),
    ),
    "dial in short": ("<Dial>+15550100002</Dial>", (Dial((Number("+15550100002"),)),)),
    "enqueue": (
        '<Enqueue action="/a" method="GET" waitUrl="/w">sales</Enqueue>',
        (Enqueue("sales", "/a", "GET", "/w"),),
    ),
    "ends": ("<Hangup/><Reject/><Reject reason='busy'/>", (Hangup(), Reject(), Reject("busy"))),
    "gather": (
        (
            '<Gather action="/a" method="GET" input="dtmf speech" timeout="3" numDigits="1"'
            ' finishOnKey="*" actionOnEmptyResult="true"><Say>Press</Say><Pause/><Play>/p</Play>'
            "</Gather><Gather/>"
        ),
        (
            Gather(
                "/a", "GET", "dtmf speech", 3, 1, "*", True, (Say("Press"), Pause(), Play("/p"))
            ),
            Gather(),
        ),
    ),
    "record": (
        '<Record action="/a" method="GET" timeout="9" maxLength="30" playBeep="false"/><Record/>',
        (Record("/a", "GET", 9, 30, False), Record()),
    ),
}
"""Each verb as it stands in a document, and as it is read."""


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("head", ["", '<?xml version="1.0" encoding="UTF-8"?>\n', "<!-- x -->"])
def test_verbs_are_read_in_order(name: str, head: str) -> None:
    """With all their attributes, with none, with a declaration and without."""
    body, verbs = CASES[name]
    document = f"{head}<Response>{body}</Response>"
    assert read(document) == Document(verbs)
    assert parse(document.encode()) == verbs


@pytest.mark.parametrize("name", CASES)
def test_a_document_cut_anywhere_does_not_parse(name: str) -> None:
    """No beginning of a document is a document."""
    for cut in hostile.cuts(f"<Response>{CASES[name][0]}</Response>".encode()):
        with pytest.raises(CarrierProtocolError) as refusal:
            parse(cut)
        assert refusal.value.code == UNPARSABLE


@pytest.mark.parametrize(
    ("body", "verbs", "warnings"),
    [
        ("<Dance/><Hangup/>", (Hangup(),), 1),
        ("<hangup/>", (), 1),
        ('<Hangup now="1"/>', (Hangup(),), 1),
        ('<Pause length="soon"/>', (Pause(1),), 1),
        ('<Pause length="-1"/>', (Pause(1),), 1),
        ('<Pause length="9999999999"/>', (Pause(1),), 1),
        ('<Redirect method="PUT">/a</Redirect>', (Redirect("/a"),), 1),
        ('<Reject reason="mood"/>', (Reject(),), 1),
        ("<Connect/>", (), 1),
        ("<Connect><Stream/></Connect>", (), 1),
        ("<Connect><Room>x</Room></Connect>", (), 2),
        ('<Connect><Stream url="wss://a/b"/><Stream url="wss://a/c"/></Connect>', (), 1),
        (
            '<Connect><Stream url="wss://a/b"><Parameter value="x"/><Other/></Stream></Connect>',
            (Connect(StreamNoun("wss://a/b")),),
            2,
        ),
        (
            (
                f'<Connect><Stream url="wss://a/b"><Parameter name="a" value="{"x" * 499}"/>'
                "</Stream></Connect>"
            ),
            (Connect(StreamNoun("wss://a/b")),),
            1,
        ),
        ("<Dial/>", (), 1),
        ("<Dial><Number/></Dial>", (), 1),
        ("<Dial><Sip>sip:a@b</Sip></Dial>", (), 2),
        ("<Enqueue/>", (), 1),
        (f"<Enqueue>{'q' * 65}</Enqueue>", (), 1),
        ("<Gather><Record/></Gather>", (Gather(),), 1),
        ('<Record playBeep="loud"/>', (Record(),), 1),
    ],
)
def test_what_the_schema_does_not_know_is_ignored_with_a_warning(
    body: str, verbs: tuple[Verb, ...], warnings: int
) -> None:
    """Twilio's 12200: the rest of the document goes on."""
    document = read(f"<Response>{body}</Response>")
    assert document.verbs == verbs
    assert len(document.warnings) == warnings


BOMB = (
    '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n else str()};" * 10}">' for n in range(9))
    + "]><Response><Say>&a8;</Say></Response>"
)


@pytest.mark.parametrize(
    "document",
    [
        "",
        " ",
        "hello",
        "{}",
        "<Response>",
        "<Response/><Response/>",
        "<Response></response>",
        "<Say>x</Say>",
        "<response/>",
        "<Response><Say>&unknown;</Say></Response>",
        "<Response a=1/>",
        "<Response>\0</Response>",
        "<Response>\x1b</Response>",
        "<Response>&#0;</Response>",
        "<Response>\ud800</Response>",
        b"<Response>\xff</Response>",
        "<!DOCTYPE Response><Response/>",
        '<!DOCTYPE Response SYSTEM "file:///etc/passwd"><Response/>',
        BOMB,
        "<Response>" + "<a>" * DEPTH_MAX + "</a>" * DEPTH_MAX + "</Response>",
        "<a>" * 20_000,
        "<Response>" + " " * DOCUMENT_BYTES_MAX + "</Response>",
    ],
    ids=range(22),
)
def test_what_does_not_parse_is_12100(document: str | bytes) -> None:
    """Garbage, another root, bombs, and declarations that TwiML has not."""
    with pytest.raises(CarrierProtocolError) as refusal:
        parse(document)
    assert refusal.value.code == UNPARSABLE


def test_no_document_chooses_a_codec() -> None:
    """A declaration of another encoding changes nothing: TwiML is UTF-8."""
    document = b'<?xml version="1.0" encoding="idna"?><Response><Say>\xc3\xa9</Say></Response>'
    assert parse(document) == (Say("é"),)


pieces = st.sampled_from(
    [
        "<Response>",
        "</Response>",
        "<Connect>",
        "</Connect>",
        '<Stream url="a">',
        "</Stream>",
        "<Say>",
        "</Say>",
        "<Dial>",
        "</Dial>",
        "<Pause/>",
        "&amp;",
        "&#0;",
        "<!--",
        "-->",
        "]]>",
        "<![CDATA[",
        "<?x?>",
        "x",
        "\x00",
        "<!DOCTYPE a>",
        '<Parameter name="a"/>',
        "é",
    ]
)


@given(hostile.garbage | st.lists(pieces, max_size=12).map("".join))
def test_reading_is_total(document: str | bytes) -> None:
    """Garbage never raises anything but the protocol's error."""
    try:
        read(document)
    except CarrierProtocolError as error:
        assert error.code == UNPARSABLE  # noqa: PT017 - may also succeed
