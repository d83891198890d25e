"""`trunkline demo --pods 3`, as a user runs it."""

import re
import signal

import psutil

from acceptance.commands import assert_gone, environ, running
from folders import open_folder


def test_three_pods_share_the_demo_s_calls_and_end_with_it() -> None:
    """Every call is in the log and none is odd; who carries how many is told while they talk. A
    killed demo leaves none of some ten processes.
    """
    with open_folder() as folder:
        words = ("demo", "--pods", "3", "--calls", "3", "--rate", "2", "--stay")
        own = ("--data-dir", str(folder / "demo"))
        with running(folder, environ(folder), *words, *own) as demo:
            demo.until_said("3 pods answer on http://")
            family = demo.family()
            assert pods_of(family) == {"demo-0", "demo-1", "demo-2"}
            demo.until(lambda: 3 in carried(demo.out()))
            demo.until_said("The pods stay up until Ctrl-C")
            assert re.search(r"^calls +3, 0 warnings", demo.out(), re.MULTILINE), demo.out()
            assert "odd" not in demo.out()
            demo.send(signal.SIGKILL)
            demo.process.wait()
            assert_gone(family)


def carried(told: str) -> list[int]:
    """How many calls all pods had together, each time they were counted."""
    lines = re.findall(r"; demo-0 (\d); demo-1 (\d); demo-2 (\d)$", told, re.MULTILINE)
    return [sum(int(number) for number in line) for line in lines]


def pods_of(family: list[psutil.Process]) -> set[str]:
    """The names that its processes were given."""
    named = (each.environ().get("TRUNKLINE_POD_NAME", "") for each in family)
    return {name for name in named if re.fullmatch(r"demo-\d", name)}
