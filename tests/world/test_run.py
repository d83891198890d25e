"""Whole worlds: small ones here, so that a broken promise shows at once."""

import os
import subprocess
import sys

import pytest

from trunkline.world.run import Plan, Story, run, told

CALM = Plan(1, minutes=1, pods=1, calls=3, weather=False)


def test_a_calm_world_keeps_every_promise() -> None:
    """Three callers talk with one pod and hang up."""
    story = run(CALM)
    assert story.broken == []
    assert sum(story.outcomes.values()) == 3
    assert {ends.split()[0] for ends in story.outcomes} <= {"caller_ended", "agent_ended"}
    assert story.virtual_s > 60


def test_calls_are_shared_by_several_pods() -> None:
    """Three pods, ten callers: nobody is refused."""
    story = run(Plan(2, minutes=2, pods=3, calls=10, weather=False))
    assert story.broken == []
    assert {ends.split()[0] for ends in story.outcomes} <= {"caller_ended", "agent_ended"}


DIGEST = "from trunkline.world.run import Plan, run; print(run(Plan(3, 1, 2, 6)).digest)"


def test_a_seed_makes_the_same_world_in_every_process() -> None:
    """Neither the order of sets nor that of objects in memory plays a part."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_makes_another_world() -> None:
    """Else nothing is drawn from it."""
    one, other = run(CALM), run(Plan(9, minutes=1, pods=1, calls=3, weather=False))
    assert one.digest != other.digest


def test_a_broken_promise_is_told_with_the_way_to_see_it_again() -> None:
    """The seed, the step, and the command."""
    story = Story(Plan(7, minutes=5, pods=3, calls=30), broken=["step 12, 1.500 s: promise 2: a"])
    text = told(story)
    assert "BROKEN at step 12, 1.500 s: promise 2: a" in text
    assert "again: trunkline sim world --seed 7 --minutes 5 --pods 3 --calls 30" in text


@pytest.mark.parametrize("pods", [1, 2])
def test_a_world_without_calls_comes_to_rest(pods: int) -> None:
    """Pods beat, and nothing is left."""
    assert run(Plan(1, minutes=0.1, pods=pods, calls=0, weather=False)).broken == []


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_seed_keeps_every_promise(seed: int) -> None:
    """Five minutes, three pods, thirty calls, and all kinds of weather."""
    story = run(Plan(seed))
    assert story.broken == [], told(story)
