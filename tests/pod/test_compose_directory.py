"""The config file's meaning: which number, which agent, which session, which tools, which door."""

import msgspec
import pytest
from pydantic import SecretStr

from pod.configs import CONFIG, FOLDER, NAMED, config, given
from trunkline.call.plan import Limits, ToolKind
from trunkline.config.file import read
from trunkline.core.slots import Bounds
from trunkline.pod.compose_directory import ConfigDirectory
from trunkline.pod.directory import Overflow
from trunkline.pod.tools.specs import HttpTool, PythonTool
from trunkline.wire.g711 import payload_bytes
from trunkline.wire.realtime import session


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
        read(f"version: 4\ninbound_slots_kept: 5\n{limited}".encode(), FOLDER / "trunkline.yaml"),
        given(),
        NAMED,
    )
    line, nobodys = directory.line("+15550100001"), directory.line("+15550100002")
    assert line is not None
    assert nobodys is not None
    assert line.bounds == Bounds(4, "clinic", "health", 20, 7, 3, inbound_slots_kept=5)
    assert nobodys.bounds == Bounds(4, inbound_slots_kept=5)


def test_fillers_are_audio_in_the_first_agents_language(directory: ConfigDirectory) -> None:
    """Ours, where the file has none of its own."""
    line = directory.line("+15550100001")
    assert line is not None
    fillers = directory.prepare(line, {}).plan.fillers
    assert [clip.name for clip in fillers] == ["en-filler-1", "en-filler-2", "en-filler-3"]
    assert all(payload_bytes(clip.payload) > 0 for clip in fillers)


def test_parameters_of_a_tool_are_passed_on_as_they_stand(directory: ConfigDirectory) -> None:
    """A JSON schema of the user's own."""
    line = directory.line("+15550100001")
    assert line is not None
    made = directory.prepare(line, {}).plan.agents["reception"].session
    find = tools_of(made)["find"]
    assert isinstance(find.parameters, msgspec.Raw)
    assert msgspec.json.decode(find.parameters) == config().config.tools["find"].parameters
