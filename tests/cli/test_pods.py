"""`trunkline pods`: what is listed, and which pod is meant."""

import pytest

from trunkline.cli.pods import named, state
from trunkline.core.fleet_states import Fleet, Life, PodSeen
from trunkline.core.ids import Incarnation, PodName
from trunkline.errors import SettingsError


def seen(
    pod: str, *, life: str = "a", draining: bool = False, replaced: bool = False, left: int = 9_000
) -> PodSeen:
    """A pod as the fleet knows it."""
    who = Life(PodName(pod), Incarnation(life))
    return PodSeen(who, "http://127.0.0.1:1", "1", 30, 50, draining, replaced, 0, left, 7)


def test_a_pod_is_meant_by_its_name() -> None:
    """Its present life; an unknown name is told with those that there are."""
    pods = (seen("pod-0", replaced=True), seen("pod-0", life="b"), seen("pod-1"))
    fleet = Fleet(0, pods, 0, 0, 0)
    assert named(fleet, "pod-0").life.incarnation == "b"
    with pytest.raises(SettingsError, match="'pod-7'; there are: pod-0, pod-0, pod-1"):
        named(fleet, "pod-7")
    with pytest.raises(SettingsError, match="there are: none"):
        named(Fleet(0, (), 0, 0, 0), "pod-0")


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (seen("pod-0"), "working"),
        (seen("pod-0", draining=True), "draining"),
        (seen("pod-0", left=0), "silent"),
        (seen("pod-0", replaced=True, left=-5), "replaced"),
    ],
)
def test_how_a_pod_is(one: PodSeen, word: str) -> None:
    """A word that a person understands."""
    assert state(one) == word
