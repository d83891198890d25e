"""What a config wants to have as audio."""

from pathlib import Path

from trunkline.config.file import read
from trunkline.config.spoken import Spoken, filler_clip, script_clip, spoken

CONFIG = """
agents:
  reception:
    instructions: You answer.
    voice: cedar
    language: de-CH
    fallback_script: Wir sind nicht da.
    fillers: [Einen Moment., Gleich.]
  sales: {instructions: You sell.}
  billing: {instructions: You bill., fallback_script: Billing is away.}
numbers:
  "+15550100001": {agent: reception}
  "+15550100002": {agent: sales}
  "+15550100003": {agent: billing}
"""


def test_scripts_and_fillers_are_spoken_in_their_agents_voices() -> None:
    """In the file's order, each under the name of its clip; who has none wants none."""
    config = read(CONFIG.encode(), Path("trunkline.yaml")).config
    script = ("agents", "reception", "fallback_script")
    fillers = ("agents", "reception", "fillers")
    billing = ("agents", "billing", "fallback_script")
    assert list(spoken(config)) == [
        Spoken("reception", script, "reception-fallback", "Wir sind nicht da.", "cedar", "de-CH"),
        Spoken("reception", (*fillers, 0), "reception-filler-1", "Einen Moment.", "cedar", "de-CH"),
        Spoken("reception", (*fillers, 1), "reception-filler-2", "Gleich.", "cedar", "de-CH"),
        Spoken("billing", billing, "billing-fallback", "Billing is away.", "marin", None),
    ]
    assert [each.key for each in spoken(config)] == [
        "fallback_script",
        "fillers[0]",
        "fillers[1]",
        "fallback_script",
    ]


def test_no_two_texts_share_a_clip() -> None:
    """Though an agent may be called as another's clip is."""
    agents = ("a", "a-fallback", "a-filler-1", "a-filler-1-fallback")
    clips = [script_clip(agent) for agent in agents]
    clips += [filler_clip(agent, n) for agent in agents for n in range(3)]
    assert len(set(clips)) == len(clips)
