import asyncio
import gc
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from picows import WSMsgType

from adapters.tiny_model import (
    CERTIFICATE,
    CREATED,
    Script,
    TinyModel,
    TinySession,
    error,
    serving,
    welcome,
)
from trunkline.adapters import realtime_socket
from trunkline.adapters.realtime_reasons import REASONS
from trunkline.adapters.realtime_socket import KEPT_MESSAGES_MAX, RealtimeDoor, RealtimeSession
from trunkline.errors import ModelError, SettingsError
from trunkline.ports import ModelDoor, ModelSession
from trunkline.wire.realtime.server import MESSAGE_BYTES_MAX

pytestmark = pytest.mark.anyio

KEY = "sk-canary-4711"
SOON_S = 5.0


class Ear:
    """A listener that remembers."""

    def __init__(self, session: ModelSession) -> None:
        self.heard: list[bytes] = []
        self.losses: list[str] = []
        self.changed = asyncio.Event()
        session.listen(self.on_frame, self.on_lost)

    def on_frame(self, text: memoryview) -> None:
        self.heard.append(bytes(text))
        self.changed.set()

    def on_lost(self, reason: str) -> None:
        self.losses.append(reason)
        self.changed.set()

    async def until_lost(self) -> str:
        async with asyncio.timeout(SOON_S):
            while not self.losses:
                self.changed.clear()
                await self.changed.wait()
        return self.losses[0]

    async def until_heard(self, count: int) -> list[bytes]:
        async with asyncio.timeout(SOON_S):
            while len(self.heard) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.heard


def door_to(
    model: TinyModel, *, session_created_s_max: float = 5.0, ping_idle_s: float = 5.0
) -> RealtimeDoor:
    return RealtimeDoor(
        model.url + "?intent=talk&model=old",
        "gpt realtime/1",
        KEY,
        session_created_s_max=session_created_s_max,
        ping_idle_s=ping_idle_s,
    )


@asynccontextmanager
async def session_with(
    model: TinyModel, *, ping_idle_s: float = 5.0
) -> AsyncIterator[tuple[RealtimeSession, TinySession]]:
    """An open session and the model's end of it."""
    async with serving(model):
        session = await door_to(model, ping_idle_s=ping_idle_s).open()
        try:
            yield session, model.seen[-1]
        finally:
            await session.close()


async def test_it_fits_the_ports() -> None:
    """What the pod asks for is what the adapter is."""
    async with serving(TinyModel()) as model:
        door: ModelDoor = door_to(model)
        session: ModelSession = await door.open()
        assert session.id.startswith("session-")
        await session.close()


async def test_the_request_names_model_and_key() -> None:
    """The URL keeps its query, the model of the settings wins, and no beta header is sent."""
    async with session_with(TinyModel()) as (_, peer):
        assert peer.path == "/v1/realtime?intent=talk&model=gpt%20realtime%2F1"
        assert peer.headers["Authorization"] == f"Bearer {KEY}"
        assert "OpenAI-Beta" not in peer.headers
        assert "api-key" not in peer.headers


async def test_azure_takes_its_key_in_another_header() -> None:
    """And a server that wants no key gets none."""
    async with serving(TinyModel()) as model:
        await (await RealtimeDoor(model.url, "m", KEY, auth="api-key").open()).close()
        await (await RealtimeDoor(model.url, "", "").open()).close()
        azure, local = model.seen
        assert azure.headers["api-key"] == KEY
        assert "Authorization" not in azure.headers
        assert local.path == "/v1/realtime"
        assert not {"api-key", "Authorization"} & set(local.headers)


@pytest.mark.parametrize(
    "url", ["https://host/v1", "wss://", "host/v1", "wss://user:word@host/v1", ""]
)
async def test_a_url_that_is_none_is_a_setting_to_mend(url: str) -> None:
    """Said at once, and without the URL, which may hold a secret."""
    with pytest.raises(SettingsError, match="wss://HOST/PATH") as caught:
        RealtimeDoor(url, "m", KEY)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "sk 1", "sk-1\n", "schlüssel"])
async def test_a_key_that_would_break_its_header_is_a_setting_to_mend(key: str) -> None:
    """A key pasted with its line break is the usual case."""
    with pytest.raises(SettingsError, match="copy it again") as caught:
        RealtimeDoor("wss://host/v1", "m", key)
    assert key not in str(caught.value)


async def test_texts_go_both_ways() -> None:
    """Whole, in order, and unchanged."""
    async with session_with(TinyModel()) as (session, peer):
        ear = Ear(session)
        session.send(b'{"type":"one"}')
        session.send(b'{"type":"two"}')
        await peer.model.until(lambda: len(peer.heard) == 2)
        assert peer.heard == [b'{"type":"one"}', b'{"type":"two"}']
        peer.say(b"three", b"four")
        assert await ear.until_heard(2) == [b"three", b"four"]


async def test_what_comes_before_the_listener_is_kept_for_it() -> None:
    """Also what came before `session.created`; in order, and once."""

    def script(peer: TinySession) -> None:
        peer.say(b'{"type":"conversation.created"}', CREATED, b'{"type":"a"}', b'{"type":"b"}')

    async with session_with(TinyModel(script)) as (session, peer):
        peer.say(b'{"type":"c"}')
        first = Ear(session)
        heard = await first.until_heard(4)
        assert [json.loads(text)["type"] for text in heard] == [
            "conversation.created",
            "a",
            "b",
            "c",
        ]
        second = Ear(session)
        peer.say(b"d")
        assert await second.until_heard(1) == [b"d"]
        assert len(first.heard) == 4


async def test_what_is_kept_is_bounded() -> None:
    """A model that chats to nobody is not well."""
    for flood in ([b"x"] * (KEPT_MESSAGES_MAX + 1), [b"x" * 600_000] * 2):

        def script(peer: TinySession, flood: list[bytes] = flood) -> None:
            peer.say(CREATED, *flood)

        async with session_with(TinyModel(script)) as (session, peer):
            await peer.model.until_left()
            assert await Ear(session).until_lost() == "unread"


async def test_fragments_are_joined() -> None:
    """With pings between them, as the protocol allows."""
    text = json.dumps({"type": "x", "delta": "y" * 5000}).encode()
    async with session_with(TinyModel()) as (session, peer):
        ear = Ear(session)
        peer.say_in_parts(text, 999)
        peer.say(b"next")
        assert await ear.until_heard(2) == [text, b"next"]


async def test_the_longest_message_passes() -> None:
    """Whole or in parts, to the byte."""
    text = b"x" * MESSAGE_BYTES_MAX
    async with session_with(TinyModel()) as (session, peer):
        ear = Ear(session)
        peer.say(text)
        peer.say_in_parts(text, 100_000)
        assert await ear.until_heard(2) == [text, text]


@pytest.mark.parametrize("size", [None, 100_000])
async def test_a_message_too_long_loses_the_session(size: int | None) -> None:
    """Whole or in parts: it is refused before it is parsed, and reported once."""
    text = b"x" * (MESSAGE_BYTES_MAX + 1)
    async with session_with(TinyModel()) as (session, peer):
        ear = Ear(session)
        peer.say_in_parts(text, size) if size else peer.say(text)
        assert await ear.until_lost() == "message_too_big"
        await peer.model.until_left()
        assert ear.losses == ["message_too_big"]
        assert ear.heard == []


def binary(peer: TinySession) -> None:
    peer.transport.send(WSMsgType.BINARY, b"x")


def stray_part(peer: TinySession) -> None:
    peer.transport.send(WSMsgType.CONTINUATION, b"x")


def doubled_begin(peer: TinySession) -> None:
    for _ in range(2):
        peer.transport.send(WSMsgType.TEXT, b"x", fin=False)


def reserved_opcode(peer: TinySession) -> None:
    peer.transport.underlying_transport.write(b"\x83\x00")


@pytest.mark.parametrize("fault", [binary, stray_part, doubled_begin, reserved_opcode])
async def test_a_frame_against_the_protocol_loses_the_session(fault: Script) -> None:
    """Realtime speaks text; the rest is against RFC 6455."""
    async with session_with(TinyModel()) as (session, peer):
        ear = Ear(session)
        fault(peer)
        assert await ear.until_lost() == "protocol"
        assert ear.losses == ["protocol"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, "closed"),
        (1001, "going_away"),
        (1011, "server_error"),
        (4000, "beta_api_shape_disabled"),
        (4999, "closed"),
    ],
)
async def test_a_close_of_the_models_is_a_loss(code: int, reason: str) -> None:
    """With a reason from its code, after all that it said before."""
    async with session_with(TinyModel()) as (session, peer):
        ear = Ear(session)
        peer.say(b"last words")
        peer.leave(code)
        assert await ear.until_lost() == reason
        assert ear.heard == [b"last words"]
        await peer.model.until_left()
        assert ear.losses == [reason]


async def test_a_reset_is_a_loss() -> None:
    """No close frame: the network, or a process that died."""
    async with session_with(TinyModel()) as (session, peer):
        ear = Ear(session)
        peer.reset()
        assert await ear.until_lost() == "closed"
        session.send(b"into the void")
        assert session.send_audio(b"the same")
        assert session.backlog_bytes() == 0


async def test_a_half_open_session_is_found_out() -> None:
    """A peer that answers no ping is gone, though TCP does not say so."""
    async with session_with(TinyModel(answers_pings=False), ping_idle_s=0.05) as (session, _):
        assert await Ear(session).until_lost() == "timeout"


async def test_a_quiet_session_that_answers_pings_lives() -> None:
    """Idle sessions of the pool are quiet for minutes."""
    async with session_with(TinyModel(), ping_idle_s=0.02) as (session, peer):
        ear = Ear(session)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await peer.transport.measure_roundtrip_time(1)
        later = asyncio.Event()
        loop.call_at(begun + 0.2, later.set)
        await later.wait()
        assert ear.losses == []
        peer.say(b"still here")
        assert await ear.until_heard(1) == [b"still here"]


async def test_who_listens_too_late_is_told_of_the_loss() -> None:
    """A session may die between the pool and its caller; what it said before comes first."""
    async with session_with(TinyModel()) as (session, peer):
        earlier = Ear(session)
        peer.leave(1001)
        await earlier.until_lost()
        later = Ear(session)
        assert later.losses == []
        assert await later.until_lost() == "going_away"
        assert earlier.losses == ["going_away"]


async def test_a_model_that_does_not_read_loses_the_session() -> None:
    """`send` never waits: what piles up is counted, and bounded."""

    def script(peer: TinySession) -> None:
        peer.say(CREATED)
        peer.transport.underlying_transport.pause_reading()

    async with session_with(TinyModel(script)) as (session, peer):
        ear = Ear(session)
        text = b"x" * 100_000
        while not ear.losses:
            session.send(text)
            assert session.backlog_bytes() <= realtime_socket.BACKLOG_BYTES_MAX + 200_000
            await asyncio.sleep(0)
        assert ear.losses == ["backlog"]
        assert session.backlog_bytes() == 0
        peer.transport.underlying_transport.resume_reading()


async def test_audio_that_a_model_does_not_read_is_dropped() -> None:
    """From a bound on, until it has read; what is no audio is written all the same."""

    def script(peer: TinySession) -> None:
        peer.say(CREATED)
        peer.transport.underlying_transport.pause_reading()

    async with session_with(TinyModel(script)) as (session, peer):
        frame = b"a" * 300
        while session.send_audio(frame):
            pass
        behind = session.backlog_bytes()
        bound = realtime_socket.AUDIO_BACKLOG_BYTES_MAX
        assert bound < behind <= bound + 2 * len(frame)
        session.send(b"no audio")
        assert session.backlog_bytes() > behind
        peer.transport.underlying_transport.resume_reading()
        await peer.model.until(lambda: b"no audio" in peer.heard)
        assert session.send_audio(frame)


async def test_our_close_is_polite_and_reports_no_loss() -> None:
    """A close frame with 1000; then silence, whatever comes."""
    async with serving(TinyModel()) as model:
        session = await door_to(model).open()
        ear = Ear(session)
        await session.close()
        await session.close()
        await model.until_left()
        assert model.seen[0].close_code == 1000
        assert ear.losses == []
        session.send(b"late")
        assert model.seen[0].heard == []


async def test_a_model_that_ignores_our_close_is_cut() -> None:
    """Within a second."""
    async with serving(TinyModel(answers_close=False)) as model:
        session = await door_to(model).open()
        begun = asyncio.get_running_loop().time()
        await session.close()
        took = asyncio.get_running_loop().time() - begun
        assert took < realtime_socket.CLOSE_S_MAX + 0.5
        await model.until_left()


async def test_a_close_that_is_cancelled_leaves_no_socket() -> None:
    """A pod in a hurry."""
    async with serving(TinyModel(answers_close=False)) as model:
        session = await door_to(model).open()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await session.close()
        await model.until_left()


async def test_a_listener_that_fails_loses_its_session_and_is_not_logged_with_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The bug goes to the loop's handler; picows' own log line would quote it."""
    bugs: list[object] = []

    class Broken(Ear):
        def on_frame(self, text: memoryview) -> None:
            raise AssertionError(bytes(text).decode())

    async with serving(TinyModel()) as model:
        session = await door_to(model).open()
        ear = Broken(session)
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: bugs.append(context["exception"]))
        try:
            with caplog.at_level(logging.DEBUG, logger="picows"):
                model.seen[0].say(b"my number is canary")
                assert await ear.until_lost() == "internal_error"
                await session.close()
        finally:
            loop.set_exception_handler(before)
        assert [type(bug) for bug in bugs] == [AssertionError]
        assert "canary" not in caplog.text


def refuse_then_close(peer: TinySession) -> None:
    peer.say(error("insufficient_quota", f"the key {KEY} is used up"))
    peer.leave(1000)


def shout(peer: TinySession) -> None:
    peer.say(error(KEY))


def junk(peer: TinySession) -> None:
    peer.say(b"{")


def silence(peer: TinySession) -> None:
    """Say nothing after 101."""


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (TinyModel(status=401), "invalid_api_key"),
        (TinyModel(status=403), "invalid_api_key"),
        (TinyModel(status=404), "model_not_found"),
        (TinyModel(status=429), "rate_limited"),
        (
            TinyModel(status=429, body=b'{"error":{"code":"insufficient_quota"}}'),
            "insufficient_quota",
        ),
        (TinyModel(status=500), "server_error"),
        (TinyModel(silence), "timeout"),
        (TinyModel(refuse_then_close), "insufficient_quota"),
        (TinyModel(shout), "refused"),
        (TinyModel(junk), "protocol"),
        (TinyModel(lambda peer: peer.leave(4000)), "beta_api_shape_disabled"),
        (TinyModel(lambda peer: peer.leave(1011)), "server_error"),
        (TinyModel(lambda peer: peer.reset()), "closed"),
        (TinyModel(lambda peer: peer.say(b"x" * (MESSAGE_BYTES_MAX + 1))), "message_too_big"),
        (TinyModel(reserved_opcode), "protocol"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_session_that_does_not_begin_is_refused(model: TinyModel, reason: str) -> None:
    """With one of the known reasons, nothing secret, and no socket left."""
    async with serving(model):
        with pytest.raises(ModelError) as caught:
            await door_to(model, session_created_s_max=0.2).open()
        assert str(caught.value) == reason
        assert reason in REASONS
        assert caught.value.__cause__ is None
        await model.until_left()


async def read_and_ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"SSH-2.0-hello\r\n\r\n")
    await reader.read()
    writer.close()


async def old_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"HTTP/1.0 529 Overloaded\r\n\r\n")
    await reader.read()
    writer.close()


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize(
    ("peer", "plain", "tls"),
    [
        (read_and_ignore, "timeout", "timeout"),
        (hang_up, "closed", "unreachable"),
        (talk_nonsense, "protocol", "unreachable"),
        (old_http, "server_error", "unreachable"),
    ],
)
async def test_a_peer_that_is_no_realtime_server(
    scheme: str, peer: "asyncio.streams._ClientConnectedCallback", plain: str, tls: str
) -> None:
    """Silent, gone, or of another protocol: a reason in time, and no socket left."""
    gone = asyncio.Event()

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.gather(peer(reader, writer))  # type: ignore[arg-type] # it is a coroutine
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        gone.set()

    server = await asyncio.start_server(counted, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        door = RealtimeDoor(f"{scheme}://127.0.0.1:{port}/x", "m", KEY, handshake_s_max=0.2)
        with pytest.raises(ModelError) as caught:
            await door.open()
        assert str(caught.value) == (plain if scheme == "ws" else tls)
        await asyncio.wait_for(gone.wait(), SOON_S)


async def test_nobody_there() -> None:
    """Refused by the machine, or a name that is none."""
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    for host in (f"127.0.0.1:{port}", "no..name"):
        with pytest.raises(ModelError, match=r"^unreachable$"):
            await RealtimeDoor(f"ws://{host}/x", "m", KEY).open()


@pytest.mark.parametrize("created", [True, False])
async def test_an_opening_that_is_cancelled_leaves_no_socket(created: bool) -> None:  # noqa: FBT001
    """Whether it waits for 101 or for `session.created`."""
    if created:
        async with serving(TinyModel(silence)) as model, asyncio.TaskGroup() as tasks:
            opening = tasks.create_task(door_to(model).open())
            await model.until(lambda: bool(model.live))
            opening.cancel()
        return
    heard, gone = asyncio.Event(), asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        heard.set()
        await asyncio.gather(reader.read(), return_exceptions=True)
        gone.set()
        writer.close()

    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    async with server, asyncio.TaskGroup() as tasks:
        port = server.sockets[0].getsockname()[1]
        opening = tasks.create_task(RealtimeDoor(f"ws://127.0.0.1:{port}/x", "m", KEY).open())
        await heard.wait()
        opening.cancel()
        await asyncio.wait_for(gone.wait(), SOON_S)


async def test_tls_is_verified() -> None:
    """The default context trusts no sham; one that does carries texts both ways."""
    async with serving(TinyModel(), tls=True) as model:
        with pytest.raises(ModelError, match=r"^unreachable$"):
            await RealtimeDoor(model.url, "m", KEY).open()
        trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
        session = await RealtimeDoor(model.url, "m", KEY, ssl_context=trusting).open()
        ear = Ear(session)
        session.send(b"x" * 300_000)
        peer = model.live[0]
        await model.until(lambda: bool(peer.heard))
        peer.say(b"y" * 300_000)
        assert await ear.until_heard(1) == [b"y" * 300_000]
        await session.close()


async def test_nothing_is_left_behind_unread() -> None:
    """No future with an exception that nobody looked at, no warning when the garbage goes."""
    bugs: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: bugs.append(context))
    try:
        for script in (silence, junk, refuse_then_close, reserved_opcode):
            async with serving(TinyModel(script)) as model:
                with pytest.raises(ModelError):
                    await door_to(model, session_created_s_max=0.05).open()
        async with session_with(TinyModel(welcome)) as (session, peer):
            ear = Ear(session)
            reserved_opcode(peer)
            await ear.until_lost()
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    assert bugs == []
