"""A config after another."""

from pathlib import Path

from trunkline.config import file
from trunkline.config.change import doubt
from trunkline.config.schema import Config

AGENTS = """
agents: {desk: {instructions: Answer.}}
numbers: {"*": {agent: desk}}
"""


def config(version: int, calls_max: int = 5, instructions: str = "Answer.") -> Config:
    content = f"version: {version}\nverticals: {{health: {{calls_max: {calls_max}}}}}{AGENTS}"
    content = content.replace("Answer.", instructions)
    return file.read(content.encode(), Path("trunkline.yaml")).config


def test_a_higher_version_is_no_doubt() -> None:
    """Whatever has changed."""
    assert doubt(config(1), config(2, calls_max=9), 1) is None


def test_a_lower_version_s_limits_do_not_count() -> None:
    """It says whose do, also when the one before was lower too."""
    told = doubt(config(3), config(1), 4)
    assert told is not None
    assert "version 1 is lower than 4" in told


def test_limits_under_the_same_version_may_differ_among_pods() -> None:
    """Texts may change without one."""
    told = doubt(config(2), config(2, calls_max=9), 2)
    assert told is not None
    assert "version is still 2" in told
    assert doubt(config(2), config(2, instructions="Listen."), 2) is None
