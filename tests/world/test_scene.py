import random

from trunkline.core.slots import NOBODYS
from trunkline.sim.caller import HangUp, Say
from trunkline.sim.speech import recorded
from trunkline.world.carrier import NUMBER
from trunkline.world.scene import Scene, WorldTools, script_of
from world.places import played


def test_a_callers_words_can_all_be_said() -> None:
    """And each script ends."""
    rng, speech = random.Random(1), recorded()
    for _ in range(50):
        script = script_of(rng)
        assert isinstance(script[-1], HangUp)
        assert all(speech.knows(step.text) for step in script if isinstance(step, Say))


def test_an_agent_is_told_its_call() -> None:
    """So that the model's side can tell whose session it is."""
    scene = Scene(recorded(), NOBODYS)
    line = scene.line(NUMBER)
    assert line is not None
    assert scene.line("+1") is None
    prepared = scene.prepare(line, {"call": "CA1"})
    assert prepared.plan.agents["desk"].session.instructions == "You serve call CA1."


def test_a_tool_answers() -> None:
    """Most of the time."""
    tools = WorldTools(random.Random(1))
    results = [played(tools.run("find_prices", "{}", "1")) for _ in range(30)]
    assert {result.ok for result in results} == {True, False}
