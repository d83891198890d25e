import json

import pydantic
import pytest

from trunkline.config.explain import explain
from trunkline.config.file import json_schema
from trunkline.config.schema import Config
from trunkline.config.tree import parse

REST = """\
# One line, so that the next is the sixth.
numbers: {"*": {agent: desk}}
agents:
  desk:
    instructions: Answer.
"""


def told(content: str) -> list[str]:
    """`line:column path: text` of each fault."""
    tree = parse(content.encode())
    assert tree.faults == []
    with pytest.raises(pydantic.ValidationError) as caught:
        Config.model_validate_json(json.dumps(tree.root))
    faults = explain(caught.value, tree, json_schema())
    return [f"{f.mark.line}:{f.mark.column} {f.path}: {f.text}" for f in sorted(faults)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    voise: ash", "6:5 agents.desk.voise: unknown key; did you mean voice?"),
        ("    voice: 5", "6:12 agents.desk.voice: expected text"),
        ("    voice: a b", "6:12 agents.desk.voice: expected a voice's name, such as marin"),
        ("    greeting: [a]", "6:15 agents.desk.greeting: expected text"),
        ("    tools: end_call", "6:12 agents.desk.tools: expected a list"),
        ("    tools: [1]", "6:13 agents.desk.tools[0]: expected text"),
        ("    transfers: [a]", "6:16 agents.desk.transfers: expected a mapping"),
        ("    transfers: {a: b}", "6:20 agents.desk.transfers.a: expected a phone number in E.164"),
        ("    transfers: {a b: +15550100001}", "6:17 agents.desk.transfers.a b: expected a name"),
        ("    limits: 5", "6:13 agents.desk.limits: expected a mapping"),
        ("    limits: {idle_s: soon}", "6:22 agents.desk.limits.idle_s: expected a number"),
        ("    limits: {idle_s: 0}", "6:22 agents.desk.limits.idle_s: expected greater than or eq"),
        ("    limits: {idle_prompts_max: 1.5}", "6:32 agents.desk.limits.idle_prompts_max: e"),
        (
            "    limits: {call_s: 5}",
            "6:14 agents.desk.limits.call_s: unknown key; did you mean cal",
        ),
        ("    language: english", "6:15 agents.desk.language: expected a language, such as en or"),
        ("    reasoning_effort: max", "6:23 agents.desk.reasoning_effort: expected 'minimal', 'l"),
        ("    max_output_tokens: x", "6:24 agents.desk.max_output_tokens: expected a whole"),
        ("    turn_detection: {}", "6:21 agents.desk.turn_detection: expected a mapping with 'ty"),
        ("    turn_detection: {type: x}", "6:21 agents.desk.turn_detection: expected 'type' to b"),
        ("    turn_detection: {type: server_vad, eagerness: low}", "6:40 agents.desk.turn_detect"),
        ("    transcription: {prompt: 1}", "6:29 agents.desk.transcription.prompt: expected text"),
        ("    models: [{}]", "6:14 agents.desk.models[0].name: missing; expected: The model's na"),
        ("    fallback_script: ''", "6:22 agents.desk.fallback_script: expected text, and it is "),
        ("  billing: {}", "6:12 agents.billing.instructions: missing; expected: What the model is"),
        ("  a b: {instructions: x}", "6:3 agents.a b: expected a name of 1 to 63 letters"),
        ("tools: {x: {kind: ftp}}", "6:12 tools.x: expected 'kind' to be one of 'http', 'python'"),
        ("tools: {x: {kind: python}}", "6:12 tools.x.description: missing; expected: When the mo"),
        ("context_hook: {url: x}", "6:21 context_hook.url: expected http://… or https://…"),
        ("verticals: []", "6:12 verticals: expected a mapping"),
        ("version: 0", "6:10 version: expected greater than or equal to 1"),
        ("version: true", "6:10 version: expected a whole number"),
        ("contxt_hook: {}", "6:1 contxt_hook: unknown key; did you mean context_hook?"),
    ],
)
def test_each_fault_in_words(line: str, expected: str) -> None:
    """Its place, its path, and what is expected; never an expression or a class's name."""
    lines = told(REST + line + "\n")
    assert lines[0].startswith(expected)
    for text in lines:
        assert "Input" not in text
        assert "pydantic" not in text


def test_alternatives_that_failed_are_one_fault() -> None:
    """A number or `inf`: told together."""
    (line,) = told(REST + "    max_output_tokens: many\n")
    assert line.endswith("expected a whole number or 'inf'")


def test_a_secret_in_place_of_its_name_is_not_quoted() -> None:
    """The fault asks for the NAME of a variable."""
    (line,) = told(REST + "    models: [{name: m, key_env: sk-s3cret}]\n")
    assert "the NAME of an environment variable" in line
    assert "s3cret" not in line


def test_a_key_is_told_in_whatever_it_stands() -> None:
    """In a list's mapping, in one of two kinds, at the root."""
    lines = told(
        REST
        + "    models: [{name: m, nam: x}]\n"
        + "tools: {t: {kind: http, description: d, url: http://x, headrs: {}}}\n"
        + "context_hook: {url: http://x, timeout: 1}\n"
    )
    assert [line.partition("unknown key; ")[2] for line in lines] == [
        "did you mean name?",
        "did you mean headers?",
        "did you mean timeout_s?",
    ]


def test_all_faults_of_a_file() -> None:
    """In the order of the file, each by itself."""
    lines = told("agents: {desk: {voice: 5}}\nnumbers: {1: {}}\nx: y\n")
    assert [line.partition(": ")[0] for line in lines] == [
        "1:16 agents.desk.instructions",
        "1:24 agents.desk.voice",
        "2:11 numbers.1",
        "2:14 numbers.1.agent",
        "3:1 x",
    ]
