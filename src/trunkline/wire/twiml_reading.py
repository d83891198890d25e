"""Reading TwiML as the carrier does: verbs it knows, in order, and warnings for the rest.

Twilio ends a call whose document does not parse (12100), and ignores what its schema does not
know (12200). A document type declaration is refused: TwiML has none, and entities are how a
small document becomes a large one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final
from xml.parsers import expat

from trunkline.errors import CarrierProtocolError
from trunkline.wire.verbs import (
    Connect,
    Dial,
    Document,
    Enqueue,
    Gather,
    Hangup,
    Method,
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

__all__ = [
    "DEPTH_MAX",
    "DOCUMENT_BYTES_MAX",
    "NOT_IN_SCHEMA",
    "PARAMETER_CHARS_MAX",
    "QUEUE_CHARS_MAX",
    "UNPARSABLE",
    "WHOLE_DIGITS_MAX",
    "Connect",
    "Dial",
    "Document",
    "Enqueue",
    "Gather",
    "Hangup",
    "Method",
    "Number",
    "Pause",
    "Play",
    "Record",
    "Redirect",
    "Reject",
    "Say",
    "StreamNoun",
    "Verb",
    "parse",
    "read",
]

UNPARSABLE: Final = 12100
"""Warning for a document that does not parse: the call ends, or the fallback URL is asked."""

NOT_IN_SCHEMA: Final = 12200
"""Warning for a verb, attribute or value that is not of the schema: it is ignored."""

DOCUMENT_BYTES_MAX: Final = 64 * 1024
"""A longer document is refused before it is parsed."""

DEPTH_MAX: Final = 32
"""Deeper nesting is refused: the deepest verb needs four levels."""

QUEUE_CHARS_MAX: Final = 64
"""A queue's name."""

WHOLE_DIGITS_MAX: Final = 9
"""A longer number is none."""

PARAMETER_CHARS_MAX: Final = 499
"""Name and value of a `<Parameter>` together: Twilio's limit is "below 500"."""


def parse(xml: bytes | str) -> tuple[Verb, ...]:
    """The verbs of a document. Raises `CarrierProtocolError` (12100) if it does not parse."""
    return read(xml).verbs


def read(xml: bytes | str) -> Document:
    """A document with its warnings. Raises `CarrierProtocolError` (12100), nothing else."""
    root = _tree(xml)
    if root.name != "Response":
        raise CarrierProtocolError("the root is not <Response>", UNPARSABLE)
    reader = _Reader()
    verbs = tuple(verb for child in root.children if (verb := reader.verb(child)) is not None)
    return Document(verbs, tuple(reader.warnings))


@dataclass(slots=True)
class _Element:
    name: str
    given: dict[str, str]
    text: str = ""
    children: list["_Element"] = field(default_factory=list)


def _tree(xml: bytes | str) -> _Element:
    """The document's elements; comments and processing instructions left out."""
    document = _Element("", {})
    open_elements = [document]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > DEPTH_MAX:
            raise CarrierProtocolError("nested too deep", UNPARSABLE)
        element = _Element(name, attributes)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def text(characters: str) -> None:
        open_elements[-1].text += characters

    def refuse(*_: object) -> None:
        raise CarrierProtocolError("a document type declaration is not TwiML", UNPARSABLE)

    try:
        octets = xml.encode("utf-8") if isinstance(xml, str) else xml
        if len(octets) > DOCUMENT_BYTES_MAX:
            raise CarrierProtocolError(f"document over {DOCUMENT_BYTES_MAX} bytes", UNPARSABLE)
        # Whatever its declaration says: no document chooses a codec of ours.
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = refuse
        parser.Parse(octets, True)
    except (expat.ExpatError, UnicodeError) as error:
        raise CarrierProtocolError(f"not XML: {error}", UNPARSABLE) from error
    return document.children[0]


class _Reader:
    """Turns elements into verbs, and keeps a warning for whatever it ignores."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def verb(self, element: _Element) -> Verb | None:
        """The verb, or None with a warning if there is none of this name or it lacks its noun."""
        reader = self._READERS.get(element.name)
        if reader is None:
            self.warnings.append(f"<{element.name}> is no verb that is known here")
            return None
        return reader(self, element)

    def _redirect(self, element: _Element) -> Redirect:
        self._only(element, "method")
        return Redirect(element.text.strip(), self._method(element))

    def _hangup(self, element: _Element) -> Hangup:
        self._only(element)
        return Hangup()

    def _reject(self, element: _Element) -> Reject:
        self._only(element, "reason")
        busy = self._one_of(element, "reason", "rejected", "busy") == "busy"
        return Reject("busy" if busy else "rejected")

    def _prompt(self, element: _Element) -> Say | Play | Pause:
        match element.name:
            case "Say":
                self._only(element, "voice", "language", "loop")
                return Say(
                    " ".join(element.text.split()),
                    element.given.get("voice"),
                    element.given.get("language"),
                    self._whole(element, "loop", 1),
                )
            case "Play":
                self._only(element, "digits", "loop")
                url, loop = element.text.strip() or None, self._whole(element, "loop", 1)
                return Play(url, element.given.get("digits"), loop)
            case _:
                self._only(element, "length")
                return Pause(self._whole(element, "length", 1))

    def _connect(self, element: _Element) -> Connect | None:
        self._only(element, "action", "method", nouns=("Stream",))
        streams = [child for child in element.children if child.name == "Stream"]
        if len(streams) != 1 or not streams[0].given.get("url"):
            self.warnings.append("<Connect> needs one <Stream> with a url")
            return None
        action = element.given.get("action")
        return Connect(self._stream(streams[0]), action, self._method(element))

    def _stream(self, element: _Element) -> StreamNoun:
        known = ("url", "name", "track", "statusCallback", "statusCallbackMethod")
        self._only(element, *known, nouns=("Parameter",))
        parameters: dict[str, str] = {}
        for child in element.children:
            if child.name != "Parameter":
                continue
            self._only(child, "name", "value")
            name, value = child.given.get("name", ""), child.given.get("value", "")
            if not name or len(name) + len(value) > PARAMETER_CHARS_MAX:
                self.warnings.append("<Parameter> without a name, or of 500 characters or more")
                continue
            parameters[name] = value
        return StreamNoun(
            url=element.given["url"],
            name=element.given.get("name"),
            track=element.given.get("track", "inbound_track"),
            status_callback=element.given.get("statusCallback"),
            status_callback_method=self._method(element, "statusCallbackMethod"),
            parameters=parameters,
        )

    def _dial(self, element: _Element) -> Dial | None:
        known = ("action", "method", "timeout", "timeLimit", "callerId", "answerOnBridge")
        self._only(element, *known, nouns=("Number",))
        numbers = [Number(element.text.strip())] if element.text.strip() else []
        for child in element.children:
            if child.name == "Number":
                self._only(child, "sendDigits", "url")
                numbers.append(
                    Number(
                        child.text.strip(), child.given.get("sendDigits"), child.given.get("url")
                    )
                )
        if not numbers or not all(number.number for number in numbers):
            self.warnings.append("<Dial> needs a number")
            return None
        return Dial(
            numbers=tuple(numbers),
            action=element.given.get("action"),
            method=self._method(element),
            timeout_s=self._whole(element, "timeout", 30),
            time_limit_s=self._whole(element, "timeLimit", 14_400),
            caller_id=element.given.get("callerId"),
            answer_on_bridge=self._flag(element, "answerOnBridge", default=False),
        )

    def _enqueue(self, element: _Element) -> Enqueue | None:
        self._only(element, "action", "method", "waitUrl")
        queue = element.text.strip()
        if not queue or len(queue) > QUEUE_CHARS_MAX:
            self.warnings.append("<Enqueue> needs a name of at most 64 characters")
            return None
        return Enqueue(
            queue, element.given.get("action"), self._method(element), element.given.get("waitUrl")
        )

    def _gather(self, element: _Element) -> Gather:
        known = ("action", "method", "input", "timeout", "numDigits", "finishOnKey")
        prompts = ("Say", "Play", "Pause")
        self._only(element, *known, "actionOnEmptyResult", nouns=prompts)
        count = self._whole(element, "numDigits", 0)
        return Gather(
            action=element.given.get("action"),
            method=self._method(element),
            input=element.given.get("input", "dtmf"),
            timeout_s=self._whole(element, "timeout", 5),
            num_digits=count or None,
            finish_on_key=element.given.get("finishOnKey", "#"),
            action_on_empty_result=self._flag(element, "actionOnEmptyResult", default=False),
            prompts=tuple(
                self._prompt(child) for child in element.children if child.name in prompts
            ),
        )

    def _record(self, element: _Element) -> Record:
        self._only(element, "action", "method", "timeout", "maxLength", "playBeep")
        return Record(
            action=element.given.get("action"),
            method=self._method(element),
            timeout_s=self._whole(element, "timeout", 5),
            max_length_s=self._whole(element, "maxLength", 3600),
            play_beep=self._flag(element, "playBeep", default=True),
        )

    _READERS: ClassVar[Mapping[str, Callable[["_Reader", _Element], Verb | None]]] = {
        "Connect": _connect,
        "Dial": _dial,
        "Enqueue": _enqueue,
        "Gather": _gather,
        "Hangup": _hangup,
        "Pause": _prompt,
        "Play": _prompt,
        "Record": _record,
        "Redirect": _redirect,
        "Reject": _reject,
        "Say": _prompt,
    }

    def _only(self, element: _Element, *attributes: str, nouns: tuple[str, ...] = ()) -> None:
        """Warn of attributes and children that are not of the schema."""
        for name in element.given:
            if name not in attributes:
                self.warnings.append(f"<{element.name}> has no attribute {name}")
        for child in element.children:
            if child.name not in nouns:
                self.warnings.append(f"<{element.name}> has no noun <{child.name}>")

    def _one_of(self, element: _Element, attribute: str, default: str, *others: str) -> str:
        given = element.given.get(attribute, default)
        if given in {default, *others}:
            return given
        self.warnings.append(f"<{element.name} {attribute}> can't have this value")
        return default

    def _method(self, element: _Element, attribute: str = "method") -> Method:
        return "GET" if self._one_of(element, attribute, "POST", "GET") == "GET" else "POST"

    def _flag(self, element: _Element, attribute: str, *, default: bool) -> bool:
        said, other = ("true", "false") if default else ("false", "true")
        return self._one_of(element, attribute, said, other) == "true"

    def _whole(self, element: _Element, attribute: str, default: int) -> int:
        given = element.given.get(attribute)
        if given is None:
            return default
        if given.isascii() and given.isdigit() and len(given) <= WHOLE_DIGITS_MAX:
            return int(given)
        self.warnings.append(f"<{element.name} {attribute}> is no whole number")
        return default
