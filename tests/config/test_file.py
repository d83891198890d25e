import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.config import file, references
from trunkline.config.file import ConfigFile, load, read
from trunkline.errors import SettingsError

SMALL: Final = """\
agents:
  desk:
    instructions: Answer.
numbers:
  "*": {agent: desk}
"""

SECRETS: Final = """\
agents:
  desk:
    instructions: Answer.
    models: [{name: m, key_env: MODEL_KEY}]
    tools: [look]
numbers:
  "*": {agent: desk}
tools:
  look:
    kind: http
    description: Look.
    url: https://example.com/look
    secret_headers: {Authorization: CRM_KEY}
    sign_with: SIGN_KEY
context_hook:
  url: https://example.com/hook
  sign_with: SIGN_KEY
"""

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "trunkline.yaml"


def faults(content: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(content.encode(), Path("t.yaml"))
    return str(caught.value).splitlines()


def test_a_file_is_read(tmp_path: Path) -> None:
    """Its config, where it came from, and where its modules are."""
    path = tmp_path / "trunkline.yaml"
    path.write_text(SMALL)
    loaded = load(path)
    assert loaded.config.agents["desk"].instructions == "Answer."
    assert loaded.path == path
    assert loaded.folder == tmp_path.resolve()
    assert loaded.warnings == ()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """One line that names it."""
    path = tmp_path / "none.yaml"
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: cannot be read (No such file or directory); expected the config file"
    )
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "t.yaml:1:1: the file is empty; expected agents and numbers"),
        ("# nothing\n", "t.yaml:1:1: the file is empty; expected agents and numbers"),
        ("- a\n", "t.yaml:1:1: expected a mapping"),
        ("a: [\n", "t.yaml:2:1: not YAML: "),
    ],
)
def test_what_is_no_config(content: str, expected: str) -> None:
    """One line, with its place."""
    (line,) = faults(content)
    assert line.startswith(expected)


def test_all_faults_are_told_at_once() -> None:
    """YAML's, the schema's and names that lead nowhere, in the order of the file."""
    assert faults(
        "agents:\n"
        "  desk:\n"
        "    instructions: Answer.\n"
        "    voise: ash\n"
        "    tools: [lok]\n"
        "    tools: [look]\n"
        "numbers:\n"
        "  +1555: {agent: dsk}\n"
        "tools:\n"
        "  look: {kind: python, description: Look., target: look}\n"
    ) == [
        "t.yaml:4:5: agents.desk.voise: unknown key; did you mean voice?",
        "t.yaml:5:13: agents.desk.tools[0]: there is no tool 'lok'; did you mean look?",
        "t.yaml:6:5: agents.desk.tools: given twice; first in line 5",
        (
            "t.yaml:8:3: numbers.+1555: expected a phone number in E.164 form, such as "
            '+15550100001, or "*"'
        ),
        "t.yaml:8:18: numbers.+1555.agent: there is no agent 'dsk'; did you mean desk?",
        "t.yaml:10:52: tools.look.target: expected module:function",
    ]


def test_a_thousand_faults_are_not_all_told() -> None:
    """The first explain the rest."""
    lines = faults(SMALL + "".join(f"x{n}: 1\n" for n in range(1000)))
    assert len(lines) == file.FAULTS_MAX + 1
    assert lines[-1] == "t.yaml: and 900 more"


def test_warnings_have_their_place() -> None:
    """As faults have; the file is used all the same."""
    loaded = read(SMALL.replace("Answer.", "Greet {{name}}.").encode(), Path("t.yaml"))
    assert loaded.warnings == (
        (
            "t.yaml:5:8: numbers.*.variables: agent desk uses {{name}}, which has no value here: "
            "it is left out"
        ),
    )


def test_secrets_are_resolved_by_their_names(tmp_path: Path) -> None:
    """From a variable or from a file that a variable names; nothing shows them."""
    key = tmp_path / "key"
    key.write_text("s3cret-3\n")
    loaded = read(SECRETS.encode(), Path("t.yaml"))
    secrets = loaded.resolve_secrets(
        {"MODEL_KEY": "s3cret-1", "CRM_KEY": "s3cret-2", "SIGN_KEY_FILE": str(key)}
    )
    assert {name: value.get_secret_value() for name, value in secrets.items()} == {
        "MODEL_KEY": "s3cret-1",
        "CRM_KEY": "s3cret-2",
        "SIGN_KEY": "s3cret-3",
    }
    assert "s3cret" not in repr(secrets)


def test_secrets_that_are_not_there() -> None:
    """A line for each place that needs one."""
    loaded = read(SECRETS.encode(), Path("t.yaml"))
    with pytest.raises(SettingsError) as caught:
        loaded.resolve_secrets({"MODEL_KEY": "s3cret", "CRM_KEY": "s3cret\nX-Other: header"})
    assert str(caught.value).splitlines() == [
        (
            "t.yaml:13:37: tools.look.secret_headers.Authorization: CRM_KEY: expected one line of "
            "printable ASCII"
        ),
        (
            "t.yaml:14:16: tools.look.sign_with: the environment variable SIGN_KEY is not set; "
            "set it or SIGN_KEY_FILE"
        ),
        (
            "t.yaml:17:14: context_hook.sign_with: the environment variable SIGN_KEY is not set; "
            "set it or SIGN_KEY_FILE"
        ),
    ]


def test_without_a_file_an_agent_is_built_in() -> None:
    """It answers every number and can end a call; it is itself without fault."""
    loaded = load(None)
    number = loaded.config.number("+15550100001")
    assert number is not None
    agent = loaded.config.agents[number.agent]
    assert agent.tools == ("end_call",)
    assert agent.greeting
    assert agent.fallback_script
    assert loaded == ConfigFile(file.built_in())
    assert loaded.folder is None
    assert loaded.resolve_secrets({}) == {}
    assert list(references.doubtful(loaded.config)) == []


def test_the_example_is_right() -> None:
    """Without a warning, with everything that a newcomer shall find in it."""
    loaded = load(EXAMPLE)
    config = loaded.config
    assert loaded.warnings == ()
    assert len(config.verticals) == 2
    assert len(config.agents) >= 4
    assert {tool.kind for tool in config.tools.values()} == {"http", "python"}
    used = {tool for agent in config.agents.values() for tool in agent.tools}
    assert used >= {"end_call", "handoff", "transfer_call", "send_digits"}
    assert {number.overflow.action for number in config.numbers.values()} >= {
        "dial", "voicemail", "say",
    }  # fmt: skip
    assert any(agent.handoffs for agent in config.agents.values())
    assert config.context_hook is None
    for name in config.numbers:
        assert name == "*" or name.startswith("+1555010")


def test_what_the_example_leaves_out_is_right_too() -> None:
    """Its commented keys, taken in."""
    text = EXAMPLE.read_text()
    taken = re.sub(
        r"^# (context_hook:|  (?:url|timeout_s|sign_with): )", r"\1", text, flags=re.MULTILINE
    )
    assert taken != text
    loaded = read(taken.encode(), EXAMPLE)
    assert loaded.config.context_hook is not None


def test_the_schema_describes_every_key() -> None:
    """Editors show it; a key that is refused is refused there too."""
    schema = file.json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for record in [schema, *definitions.values()]:
        assert isinstance(record, dict)
        if record == {}:
            continue  # Any JSON: a tool's parameters are a schema of their own.
        assert record["additionalProperties"] is False
        properties = record["properties"]
        assert isinstance(properties, dict)
        for key, described in properties.items():
            assert isinstance(described, dict)
            assert described.get("description"), key


def test_hangup_alone_is_in_the_schema() -> None:
    """What the file may say in short, an editor accepts."""
    assert "hangup" in str(file.json_schema()["$defs"]).partition("'Number'")[2]


@given(st.text('abdeginkmrstu: {}[]"*\n-#&', max_size=200))
def test_any_text_is_a_config_or_lines(text: str) -> None:
    """Nothing else is raised, and each line has its place."""
    try:
        read(text.encode(), Path("t.yaml"))
    except SettingsError as error:
        for line in str(error).splitlines():
            assert re.match(r"t\.yaml:\d+:\d+: .", line)


@given(st.data())
def test_a_cut_example_is_a_config_or_lines(data: st.DataObject) -> None:
    """As a half-saved file is."""
    content = EXAMPLE.read_bytes()
    cut = content[: data.draw(st.integers(0, len(content)))]
    try:
        read(cut, Path("t.yaml"))
    except SettingsError as error:
        lines = str(error).splitlines()
        assert [line for line in lines if not re.match(r"t\.yaml:\d+:\d+: .", line)] == []
