"""The config file's meaning: which number, which agent, which session, which tools, which door."""

import socket
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr

from trunkline.call.plan import Limits, ToolKind
from trunkline.config import settings
from trunkline.config.file import ConfigFile, read
from trunkline.config.settings import Settings
from trunkline.core.slots import Bounds
from trunkline.errors import SettingsError, StoreError
from trunkline.pod import compose
from trunkline.pod.compose import ConfigDirectory, run_pod
from trunkline.pod.directory import Overflow
from trunkline.pod.tools.specs import HttpTool, PythonTool
from trunkline.wire.g711 import payload_bytes
from trunkline.wire.realtime import session

CONFIG = """
verticals:
  health: {limits: {idle_s: 30, call_s_max: 1200}}
tenants:
  clinic: {vertical: health}
agents:
  reception:
    instructions: You answer for {{business}}, {{caller}}.
    greeting: Say hello from {{business}}.
    language: en-GB
    voice: marin
    tools: [find, book, end_call, handoff, transfer_call]
    handoffs: [billing]
    transfers: {doctor: "+15550100020"}
    limits: {idle_s: 12}
  billing:
    instructions: You answer questions about bills.
    handoffs: [reception]
    tools: [handoff]
  sales:
    instructions: You sell.
    models:
      - name: other-model
        url: "wss://models.example.com/v1/realtime"
        key_env: OTHER_KEY
        key_header: api-key
      - {name: third-model}
numbers:
  "+15550100001":
    agent: reception
    tenant: clinic
    variables: {business: the clinic, caller: nobody}
    overflow: {dial: "+15550100021"}
  "+15550100002": {agent: sales}
tools:
  find:
    kind: http
    url: "https://tools.example.com/find"
    description: Finds.
    secret_headers: {X-Key: TOOL_KEY}
    sign_with: SIGN_KEY
    filler_after_ms: 300
    idempotent: true
    parameters: {type: object, properties: {day: {type: string}}}
  book: {kind: python, target: "scene_tools:book_appointment", description: Books., timeout_s: 3}
"""
FOLDER = Path(__file__).parents[1] / "acceptance"
NAMED = {name: SecretStr(f"secret of {name}") for name in ("OTHER_KEY", "TOOL_KEY", "SIGN_KEY")}
ENVIRON = {
    "TRUNKLINE_HOST": "127.0.0.1",
    "TRUNKLINE_PORT": "0",
    "TRUNKLINE_INTERNAL_PORT": "0",
    "TRUNKLINE_POD_NAME": "pod-0",
    "TRUNKLINE_PUBLIC_URL": "https://voice.example.com",
    "TRUNKLINE_TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "TRUNKLINE_TWILIO_AUTH_TOKEN": "1" * 32,
    "TRUNKLINE_REALTIME_MODEL": "usual-model",
    "TRUNKLINE_REALTIME_API_KEY": "sk-usual",
}


def given(**more: str) -> Settings:
    return settings.load({**ENVIRON, **more}, None)


def config() -> ConfigFile:
    return read(CONFIG.encode(), FOLDER / "trunkline.yaml")


def tools_of(made: session.Session) -> dict[str, session.FunctionTool]:
    assert not isinstance(made.tools, msgspec.UnsetType)
    return {tool.name: tool for tool in made.tools}


@pytest.fixture
def directory() -> ConfigDirectory:
    """The config above, read."""
    return ConfigDirectory(config(), given(), NAMED)


def test_a_number_leads_to_its_line(directory: ConfigDirectory) -> None:
    """Agent, tenant, vertical, variables, and what stands in for the agent."""
    line = directory.line("+15550100001")
    assert line is not None
    assert (line.agent, line.tenant, line.vertical) == ("reception", "clinic", "health")
    assert line.overflow == Overflow("dial", "+15550100021", "en-GB")
    assert directory.line("+15550100077") is None


def test_variables_are_filled_in_and_the_hooks_win(directory: ConfigDirectory) -> None:
    """What the context hook says of this caller stands over the line's own."""
    line = directory.line("+15550100001")
    assert line is not None
    made = directory.prepare(line, {"caller": "Ada"}).plan
    agent = made.agents["reception"]
    assert agent.session.instructions == "You answer for the clinic, Ada."
    assert agent.greeting == "Say hello from the clinic."


def test_a_plan_holds_every_agent_that_can_be_reached(directory: ConfigDirectory) -> None:
    """Over handoffs, circles included, and no other."""
    line = directory.line("+15550100001")
    assert line is not None
    made = directory.prepare(line, {}).plan
    assert set(made.agents) == {"reception", "billing"}
    assert made.first_agent == "reception"
    assert made.agents["reception"].handoffs == {"billing"}
    assert made.agents["reception"].transfer_numbers == {"doctor": "+15550100020"}


def test_the_waits_of_an_agent_stand_over_its_verticals(directory: ConfigDirectory) -> None:
    """And those over ours."""
    line = directory.line("+15550100001")
    assert line is not None
    limits = directory.prepare(line, {}).plan.limits
    assert (limits.idle_s, limits.call_s_max) == (12.0, 1200.0)
    assert limits.goodbye_s_max == Limits().goodbye_s_max


def test_a_session_speaks_mu_law_both_ways(directory: ConfigDirectory) -> None:
    """The whole update, as it goes to the model."""
    line = directory.line("+15550100001")
    assert line is not None
    made = directory.prepare(line, {}).plan.agents["reception"].session
    assert isinstance(made.audio, session.Audio)
    assert isinstance(made.audio.input, session.AudioInput)
    assert isinstance(made.audio.output, session.AudioOutput)
    assert made.audio.input.format == made.audio.output.format == session.Pcmu()
    assert made.audio.output.voice == "marin"
    heard = made.audio.input.transcription
    assert isinstance(heard, session.Transcription)
    assert heard.language == "en"
    assert made.output_modalities == ["audio"]
    assert set(tools_of(made)) == {"find", "book", "end_call", "handoff", "transfer_call"}


def test_tools_are_known_by_kind_with_their_secrets(directory: ConfigDirectory) -> None:
    """The plan knows kinds and fillers; how to run them is the pod's."""
    line = directory.line("+15550100001")
    assert line is not None
    prepared = directory.prepare(line, {})
    tools = prepared.plan.agents["reception"].tools
    assert {name: tool.kind for name, tool in tools.items()} == {
        "find": ToolKind.HTTP,
        "book": ToolKind.PYTHON,
        "end_call": ToolKind.END_CALL,
        "handoff": ToolKind.HANDOFF,
        "transfer_call": ToolKind.TRANSFER_CALL,
    }
    assert tools["find"].filler_after_ms == 300
    assert tools["find"].idempotent
    find, book = prepared.tools["find"], prepared.tools["book"]
    assert isinstance(find, HttpTool)
    assert find.secret_headers == {"X-Key": "secret of TOOL_KEY"}
    assert find.signing_key == "secret of SIGN_KEY"
    assert "secret" not in repr(find)
    assert isinstance(book, PythonTool)
    assert book.timeout_s == 3


def test_a_call_goes_through_its_agents_first_model(directory: ConfigDirectory) -> None:
    """Models of one name, address and key share a door; there is one for each of a list."""
    reception, sales = directory.line("+15550100001"), directory.line("+15550100002")
    assert reception is not None
    assert sales is not None
    (usual,) = directory.prepare(reception, {}).models
    named, third = directory.prepare(sales, {}).models
    assert usual.startswith("usual-model@wss://")
    assert third.startswith("third-model@wss://")
    assert named.startswith("other-model@wss://models.example.com/v1/realtime@")
    assert "secret" not in named + third + usual
    rotated = ConfigDirectory(config(), given(), {**NAMED, "OTHER_KEY": SecretStr("sk-next")})
    again, same = rotated.line("+15550100002"), rotated.line("+15550100001")
    assert again is not None
    assert same is not None
    assert rotated.prepare(again, {}).models[0] != named
    assert rotated.prepare(same, {}).models == (usual,)


def test_a_line_says_how_many_calls_its_tenant_may_have() -> None:
    """Its own limits over its vertical's, with the file's version."""
    limited = CONFIG.replace(
        "health: {", "health: {calls_max: 20, outbound_calls_max: 3, "
    ).replace("clinic: {", "clinic: {calls_max: 7, ")
    directory = ConfigDirectory(
        read(f"version: 4\n{limited}".encode(), FOLDER / "trunkline.yaml"), given(), NAMED
    )
    line, nobodys = directory.line("+15550100001"), directory.line("+15550100002")
    assert line is not None
    assert nobodys is not None
    assert line.bounds == Bounds(4, "clinic", "health", 20, 7, 3)
    assert nobodys.bounds == Bounds(4)


def test_fillers_are_audio_in_the_first_agents_language(directory: ConfigDirectory) -> None:
    """Ours, where the file has none of its own."""
    line = directory.line("+15550100001")
    assert line is not None
    fillers = directory.prepare(line, {}).plan.fillers
    assert [clip.name for clip in fillers] == ["en-filler-1", "en-filler-2", "en-filler-3"]
    assert all(payload_bytes(clip.payload) > 0 for clip in fillers)


def test_ports_are_bound_before_anything_else() -> None:
    """A port in use is told by the setting's name, and the other port is given back."""
    sockets = compose.listen(given())
    taken = str(sockets.internal.getsockname()[1])
    with pytest.raises(SettingsError, match="TRUNKLINE_INTERNAL_PORT"):
        compose.listen(given(TRUNKLINE_INTERNAL_PORT=taken))
    sockets.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", int(taken)))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("redis", "database", "error"),
    [
        ("nonsense", "", SettingsError),
        ("redis://127.0.0.1:1/0", "", StoreError),
    ],
)
async def test_a_pod_does_not_start_without_its_stores(
    redis: str, database: str, error: type[Exception]
) -> None:
    """It says which, and leaves nothing behind."""
    sockets = compose.listen(given())
    try:
        with pytest.raises(error):
            await run_pod(
                given(),
                config(),
                NAMED,
                sockets=sockets,
                redis_url=redis,
                database_url=database,
            )
    finally:
        sockets.close()


@pytest.mark.anyio
async def test_a_pod_does_not_start_with_a_database_that_is_not_migrated(
    redis_url: str,
) -> None:
    """Or with none that answers."""
    sockets = compose.listen(given())
    try:
        with pytest.raises(StoreError):
            await run_pod(
                given(),
                config(),
                NAMED,
                sockets=sockets,
                redis_url=redis_url,
                database_url="postgresql://nobody@127.0.0.1:1/none",
            )
    finally:
        sockets.close()


def test_parameters_of_a_tool_are_passed_on_as_they_stand(directory: ConfigDirectory) -> None:
    """A JSON schema of the user's own."""
    line = directory.line("+15550100001")
    assert line is not None
    made = directory.prepare(line, {}).plan.agents["reception"].session
    find = tools_of(made)["find"]
    assert isinstance(find.parameters, msgspec.Raw)
    assert msgspec.json.decode(find.parameters) == config().config.tools["find"].parameters
