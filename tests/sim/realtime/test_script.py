from pathlib import Path

import pytest

from trunkline.sim.realtime.brain import Ask, Call, Say
from trunkline.sim.realtime.script import Rule, ScriptedBrain, ScriptedCall, ScriptError, load
from trunkline.sim.speech import recorded
from trunkline.wire.realtime.items import FunctionCall, FunctionCallOutput

SPEECH = recorded()

YAML = """
- hears: is it in stock
  calls: [{name: check_stock, arguments: {part: "seven"}}]
- output_of: check_stock
  says: [it is in stock]
- asked: true
  says: [hello, how can i help you]
- idle: true
  says: [are you still there]
"""


def test_a_script_answers_by_its_first_rule_that_fits(tmp_path: Path) -> None:
    """What was heard, what a tool answered, a client's wish, silence."""
    path = tmp_path / "script.yaml"
    path.write_text(YAML)
    brain = load(path, SPEECH)
    assert brain.answer(Ask("turn", heard="hello is it in stock[lost 1] please")) == (
        Call("check_stock", '{"part": "seven"}'),
    )
    call = FunctionCall("check_stock", "{}", "c")
    answered = (call, FunctionCallOutput("c", "3"))
    assert brain.answer(Ask("asked", items=answered)) == (Say("it is in stock"),)
    assert brain.answer(Ask("asked")) == (Say("hello"), Say("how can i help you"))
    assert brain.answer(Ask("idle")) == (Say("are you still there"),)


def test_what_no_rule_fits_goes_to_the_demo_s_brain() -> None:
    """A rule matches whole words only, and a tool's output only its own tool."""
    brain = ScriptedBrain(
        [Rule(hears="stock", says=["yes"]), Rule(output_of="b", says=["no"])], SPEECH
    )
    assert brain.answer(Ask("turn", heard="hello")) == (Say("i heard hello"),)
    call = FunctionCall("a", "{}", "c")
    answered = (call, FunctionCallOutput("c", "3"))
    assert brain.answer(Ask("asked", items=answered)) == (Say("done"),)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Rule(says=["hello"]), "one of"),
        (Rule(hears="hello", idle=True, says=["hello"]), "one of"),
        (Rule(hears="hello"), "neither"),
        (Rule(hears="hello", says=["xylophone"]), "no clips"),
        (Rule(hears="xylophone", calls=[ScriptedCall("t")]), "no clips"),
    ],
)
def test_a_rule_that_can_t_be_played_is_refused(rule: Rule, why: str) -> None:
    """By its number."""
    with pytest.raises(ScriptError, match=f"rule 1: .*{why}"):
        ScriptedBrain([rule], SPEECH)


@pytest.mark.parametrize("text", ["- [", "hello", "- {heers: hello}", "- {hears: 5}", "\x00"])
def test_a_file_that_is_no_script_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    """Neither YAML nor rules: one error of one kind."""
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ScriptError, match=r"script\.yaml"):
        load(path, SPEECH)
