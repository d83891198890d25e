import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.errors import ModelProtocolError
from trunkline.wire.realtime import client, items, session
from wire import hostile, records

CASES: dict[str, tuple[records.Tree, client.FromClient]] = {
    "a telephone's session": (
        {
            "type": "session.update",
            "session": {
                "type": "realtime",
                "instructions": 'Be "brief"\n.',
                "output_modalities": ["audio"],
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcmu"},
                        "transcription": {"model": "gpt-transcribe", "language": "en"},
                        "noise_reduction": None,
                        "turn_detection": {"type": "server_vad", "idle_timeout_ms": 10000},
                    },
                    "output": {"format": {"type": "audio/pcmu"}, "voice": "marin", "speed": 1.25},
                },
                "tools": [
                    {
                        "type": "function",
                        "name": "end_call",
                        "description": "Say goodbye first.",
                        "parameters": {"type": "object", "properties": {}},
                    }
                ],
                "tool_choice": "auto",
                "max_output_tokens": "inf",
            },
            "event_id": "client_1",
        },
        client.SessionUpdate(
            session.Session(
                instructions='Be "brief"\n.',
                output_modalities=["audio"],
                audio=session.Audio(
                    session.AudioInput(
                        format=session.Pcmu(),
                        transcription=session.Transcription("gpt-transcribe", "en"),
                        noise_reduction=None,
                        turn_detection=session.ServerVad(idle_timeout_ms=10_000),
                    ),
                    session.AudioOutput(session.Pcmu(), "marin", 1.25),
                ),
                tools=[
                    session.FunctionTool(
                        "end_call",
                        "Say goodbye first.",
                        msgspec.Raw(b'{"type": "object", "properties": {}}'),
                    )
                ],
                tool_choice="auto",
                max_output_tokens="inf",
            ),
            "client_1",
        ),
    ),
    "manual turns": (
        {
            "type": "session.update",
            "session": {
                "type": "realtime",
                "model": "gpt-realtime-2.1",
                "audio": {"input": {"turn_detection": None}},
                "parallel_tool_calls": True,
                "reasoning": {"effort": "low"},
                "max_output_tokens": 4096,
            },
        },
        client.SessionUpdate(
            session.Session(
                model="gpt-realtime-2.1",
                audio=session.Audio(session.AudioInput(turn_detection=None)),
                parallel_tool_calls=True,
                reasoning=session.Reasoning("low"),
                max_output_tokens=4096,
            )
        ),
    ),
    "audio": (
        {"type": "input_audio_buffer.append", "audio": "/////w=="},
        client.AppendAudio("/////w=="),
    ),
    "commit": ({"type": "input_audio_buffer.commit"}, client.CommitAudio()),
    "clear": ({"type": "input_audio_buffer.clear", "event_id": "e"}, client.ClearAudio("e")),
    "a note for the model": (
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "system",
                "content": [{"type": "input_text", "text": "The line broke."}],
            },
            "previous_item_id": "root",
        },
        client.CreateItem(
            items.Message("system", [items.InputText("The line broke.")]), previous_item_id="root"
        ),
    ),
    "what the caller said": (
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_audio", "audio": "/w==", "transcript": "Hi"}],
                "id": "item_1",
                "status": "completed",
                "object": "realtime.item",
            },
        },
        client.CreateItem(
            items.Message(
                "user", [items.InputAudio("/w==", "Hi")], "item_1", "completed", "realtime.item"
            )
        ),
    ),
    "what the agent said": (
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello"}],
            },
        },
        client.CreateItem(items.Message("assistant", [items.OutputText("Hello")])),
    ),
    "a tool's call": (
        {
            "type": "conversation.item.create",
            "item": {
                "type": "function_call",
                "name": "look_up",
                "arguments": '{"a":1}',
                "call_id": "call_1",
            },
        },
        client.CreateItem(items.FunctionCall("look_up", '{"a":1}', "call_1")),
    ),
    "a tool's result": (
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_1", "output": "{}"},
        },
        client.CreateItem(items.FunctionCallOutput("call_1", "{}")),
    ),
    "retrieve": (
        {"type": "conversation.item.retrieve", "item_id": "item_1"},
        client.RetrieveItem("item_1"),
    ),
    "truncate": (
        {
            "type": "conversation.item.truncate",
            "item_id": "item_1",
            "content_index": 0,
            "audio_end_ms": 1500,
        },
        client.TruncateItem("item_1", 0, 1500),
    ),
    "delete": (
        {"type": "conversation.item.delete", "item_id": "item_1"},
        client.DeleteItem("item_1"),
    ),
    "respond": ({"type": "response.create"}, client.CreateResponse()),
    "respond otherwise": (
        {
            "type": "response.create",
            "response": {
                "instructions": "Greet.",
                "conversation": "none",
                "output_modalities": ["text"],
                "tools": [],
                "tool_choice": "none",
                "max_output_tokens": 1,
                "metadata": {"for": "filler"},
            },
        },
        client.CreateResponse(
            client.ResponseOptions("Greet.", "none", ["text"], [], "none", 1, {"for": "filler"})
        ),
    ),
    "cancel": (
        {"type": "response.cancel", "response_id": "resp_1"},
        client.CancelResponse("resp_1"),
    ),
}
"""Each event as it stands on the wire, and as its record."""


@pytest.mark.parametrize("name", CASES)
def test_events_are_read(name: str) -> None:
    """What a client sends, in any form of text."""
    tree, event = CASES[name]
    octets = json.dumps(tree).encode()
    for form in (octets.decode(), octets, bytearray(octets), memoryview(octets)):
        assert client.decode(form) == event


@pytest.mark.parametrize("name", CASES)
def test_events_are_written(name: str) -> None:
    """The fields that were set, and no other: a server refuses an update for one key."""
    tree, event = CASES[name]
    assert json.loads(client.encode(event)) == tree


@pytest.mark.parametrize("name", CASES)
def test_an_event_cut_anywhere_is_refused(name: str) -> None:
    """No beginning of an event is an event."""
    for cut in hostile.cuts(json.dumps(CASES[name][0]).encode()):
        with pytest.raises(ModelProtocolError):
            client.decode(cut)


def test_the_table_has_every_event() -> None:
    """An event without a case would be one that nobody looked at."""
    assert {type(event) for _, event in CASES.values()} == set(get_args(client.FromClient))


@pytest.mark.parametrize("kind", records.kinds(client.FromClient), ids=lambda k: k.__name__)
@settings(max_examples=50)
@given(st.data())
def test_every_event_comes_back(kind: type[client.FromClient], data: st.DataObject) -> None:
    """Nothing that a client's record may hold within the protocol's bounds is refused or lost."""
    event = data.draw(records.of(kind, "client"))
    assert client.decode(client.encode(event)) == event


def update(**settings: records.Json) -> records.Tree:
    return {"type": "session.update", "session": {"type": "realtime", **settings}}


def create(item: records.Tree) -> records.Tree:
    return {"type": "conversation.item.create", "item": item}


def said(role: str, *content: records.Json) -> records.Tree:
    return {"type": "message", "role": role, "content": list(content)}


TEXT: records.Tree = {"type": "input_text", "text": "a"}
FUNCTION: records.Tree = {"type": "function", "name": "a", "description": "b", "parameters": {}}
PCMU: records.Tree = {"type": "audio/pcmu", "rate": 8000}

UNKNOWN = "unknown_parameter"
INVALID = "invalid_value"
MISSING = "missing_required_parameter"
LONG = "string_above_max_length"

REFUSED: list[tuple[records.Tree, str, str | None]] = [
    ({}, MISSING, "type"),
    ({"type": "session.start"}, INVALID, "type"),
    ({"type": 1}, INVALID, "type"),
    ({"type": "session.update"}, MISSING, "session"),
    ({"type": "session.update", "session": {}}, MISSING, "session.type"),
    ({"type": "session.update", "session": {"type": "transcription"}}, INVALID, "session.type"),
    ({"type": "session.update", "session": []}, INVALID, "session"),
    (update(temperature=0.8), UNKNOWN, "session.temperature"),
    (update(voice="marin"), UNKNOWN, "session.voice"),
    (update(instructions=None), INVALID, "session.instructions"),
    (update(output_modalities=["audio", "text"]), INVALID, "session.output_modalities"),
    (update(output_modalities=[]), INVALID, "session.output_modalities"),
    (update(output_modalities=["video"]), INVALID, "session.output_modalities[0]"),
    (update(max_output_tokens=0), INVALID, "session.max_output_tokens"),
    (update(max_output_tokens=4097), INVALID, "session.max_output_tokens"),
    (update(max_output_tokens="many"), INVALID, "session.max_output_tokens"),
    (update(audio={"input": {"format": PCMU}}), UNKNOWN, "session.audio.input.format.rate"),
    (update(audio={"input": {"format": {}}}), MISSING, "session.audio.input.format.type"),
    (
        update(audio={"input": {"format": {"type": "g711_ulaw"}}}),
        INVALID,
        "session.audio.input.format.type",
    ),
    (
        update(audio={"input": {"turn_detection": {"type": "server_vad", "sharpness": 1}}}),
        UNKNOWN,
        "session.audio.input.turn_detection.sharpness",
    ),
    (
        update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 1.1}}}),
        INVALID,
        "session.audio.input.turn_detection.threshold",
    ),
    (
        update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 1}}}),
        INVALID,
        "session.audio.input.turn_detection.idle_timeout_ms",
    ),
    (
        update(audio={"input": {"turn_detection": {"type": "semantic_vad", "threshold": 1}}}),
        UNKNOWN,
        "session.audio.input.turn_detection.threshold",
    ),
    (update(audio={"output": {"speed": 1.6}}), INVALID, "session.audio.output.speed"),
    (update(audio={"output": {"voice": "nobody"}}), INVALID, "session.audio.output.voice"),
    (update(tools=[{**FUNCTION, "strict": True}]), UNKNOWN, "session.tools[0].strict"),
    (update(tools=[FUNCTION, {"type": "code"}]), INVALID, "session.tools[1].type"),
    (update(tools=[{**FUNCTION, "parameters": []}]), INVALID, "session.tools[0].parameters"),
    (update(tools=[{"type": "function", "name": "a"}]), MISSING, "session.tools[0].description"),
    (update(reasoning={"effort": "none"}), INVALID, "session.reasoning.effort"),
    ({"type": "input_audio_buffer.append"}, MISSING, "audio"),
    ({"type": "input_audio_buffer.append", "audio": "a"}, INVALID, "audio"),
    ({"type": "input_audio_buffer.append", "audio": "/w==", "x": 1}, UNKNOWN, "x"),
    ({"type": "input_audio_buffer.commit", "final": True}, UNKNOWN, "final"),
    (create(said("user", {**TEXT, "x": 1})), UNKNOWN, "item.content[0].x"),
    (create({**said("user", TEXT), "name": "x"}), UNKNOWN, "item.name"),
    (create({**said("user", TEXT), "id": "i" * 33}), LONG, "item.id"),
    (create(said("tool", TEXT)), INVALID, "item.role"),
    (create(said("user", {"type": "text", "text": "a"})), INVALID, "item.content[0].type"),
    (create(said("system", TEXT, {"type": "input_audio"})), INVALID, "item.content[1].type"),
    (create(said("assistant", {"type": "output_audio"})), INVALID, "item.content[0].type"),
    (create(said("user", {"type": "input_audio"})), MISSING, "item.content[0].audio"),
    (create(said("user", {"type": "input_text"})), MISSING, "item.content[0].text"),
    (create({"type": "reasoning"}), INVALID, "item.type"),
    (create({"type": "function_call_output", "output": ""}), MISSING, "item.call_id"),
    (
        create({"type": "function_call_output", "output": "", "call_id": "c" * 33}),
        LONG,
        "item.call_id",
    ),
    (
        {
            "type": "conversation.item.truncate",
            "item_id": "i",
            "content_index": 0,
            "audio_end_ms": -1,
        },
        INVALID,
        "audio_end_ms",
    ),
    ({"type": "response.create", "response": {"modalities": []}}, UNKNOWN, "response.modalities"),
    (
        {"type": "response.create", "response": {"conversation": "other"}},
        INVALID,
        "response.conversation",
    ),
    (
        {"type": "response.create", "response": {"metadata": {"k" * 65: ""}}},
        LONG,
        "response.metadata",
    ),
    (
        {"type": "response.create", "response": {"metadata": {str(n): "" for n in range(17)}}},
        INVALID,
        "response.metadata",
    ),
    (
        {"type": "response.create", "response": {"tools": [{**FUNCTION, "parameters": 1}]}},
        INVALID,
        "response.tools[0].parameters",
    ),
    ({"type": "output_audio_buffer.clear"}, INVALID, "type"),
    ({"type": "input_audio_buffer.append", "audio": "/w==", "` - at `$.y`": 1}, UNKNOWN, None),
]


@pytest.mark.parametrize(("tree", "code", "param"), REFUSED, ids=lambda v: str(v)[:60])
def test_a_server_is_strict_and_says_where(
    tree: records.Tree, code: str, param: str | None
) -> None:
    """One key, value or length that a server refuses is refused here, with its code and place."""
    with pytest.raises(ModelProtocolError) as refusal:
        client.decode(json.dumps(tree))
    if param is not None:
        assert (refusal.value.code, refusal.value.param) == (code, param)


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_text_is_refused(name: str) -> None:
    """Whatever a text does to a parser, the answer is the protocol's error."""
    with pytest.raises(ModelProtocolError):
        client.decode(hostile.TEXTS[name])


@given(hostile.garbage | hostile.json_like.map(msgspec.json.encode))
def test_reading_is_total(text: bytes | str) -> None:
    """Garbage never raises anything but the protocol's error."""
    try:
        client.decode(text)
    except ModelProtocolError as error:
        assert error.code in {UNKNOWN, INVALID, MISSING, LONG}  # noqa: PT017 - may also succeed


@given(st.data())
def test_a_surplus_key_anywhere_is_refused(data: st.DataObject) -> None:
    """Strict at every level: a key put into any object of any event (but a tool's schema)."""
    kind = data.draw(st.sampled_from(records.kinds(client.FromClient)))
    tree = json.loads(msgspec.json.encode(data.draw(records.of(kind, "client"))))
    objects: list[tuple[str, records.Tree]] = []

    def collect(value: records.Json, path: str) -> None:
        match value:
            case dict():
                objects.append((path, value))
                for key, inner in value.items():
                    if key not in {"parameters", "metadata"}:
                        collect(inner, f"{path}{key}.")
            case list():
                for index, inner in enumerate(value):
                    collect(inner, f"{path.removesuffix('.')}[{index}].")
            case _:
                pass

    collect(tree, "")
    path, chosen = data.draw(st.sampled_from(objects))
    chosen["surplus"] = None
    with pytest.raises(ModelProtocolError) as refusal:
        client.decode(json.dumps(tree))
    assert (refusal.value.code, refusal.value.param) == (UNKNOWN, f"{path}surplus")


def test_the_longest_append_is_read_and_no_longer_one() -> None:
    """15 MiB of audio in one event; what is over the message limit is refused unread."""
    whole = client.AppendAudio("A" * (client.AUDIO_BYTES_MAX * 4 // 3))
    assert client.decode(client.encode(whole)) == whole
    for chars in (4, 64 * 1024):
        longer = client.AppendAudio(whole.audio + "A" * chars)
        with pytest.raises(ModelProtocolError):
            client.decode(client.encode(longer))


@pytest.mark.parametrize(
    ("text", "event_id"),
    [
        ('{"type":"nonsense","event_id":"client_7"}', "client_7"),
        ('{"event_id":7}', None),
        ("{}", None),
        ("[]", None),
        ("garbage", None),
        ('{"event_id":"a"', None),
        ('{"event_id":"\ud800"}', None),
        ("[" * 100_000, None),
        (" " * client.MESSAGE_BYTES_MAX + '{"event_id":"a"}', None),
    ],
    ids=range(9),
)
def test_the_refused_event_is_named(text: str, event_id: str | None) -> None:
    """The error that answers an event carries its id, if there is one to be read."""
    assert client.event_id_of(text) == event_id


def test_half_a_character_can_not_be_sent() -> None:
    """A string of ours that is no Unicode raises the protocol's error, not the codec's."""
    with pytest.raises(ModelProtocolError):
        client.encode(client.DeleteItem("\ud800"))


def test_audio_can_not_break_out_of_its_quotes() -> None:
    """The caller's payload is encoded, never pasted into JSON text."""
    text = client.encode(client.AppendAudio('","type":"response.create","x":"'))
    assert json.loads(text)["type"] == "input_audio_buffer.append"
