"""`python -m chaos`, small: a pod is killed under its calls, and all of them go on."""

import json
import subprocess
import sys
from pathlib import Path

from folders import open_folder

ROOT = Path(__file__).parents[2]

RUN_S_MAX = 100.0


def test_the_calls_of_a_killed_pod_are_resumed_and_on_record() -> None:
    """Nobody is lost, nobody is left in silence, and the carrier's list agrees with the record."""
    words = ["--pods", "2", "--calls", "4", "--call-seconds", "0", "--only", "kill"]
    with open_folder() as folder:
        found, own = folder / "chaos.json", ["--pace", "0.3", "--folder", str(folder / "chaos")]
        command = [sys.executable, "-m", "chaos", *words, *own, "--json", str(found)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S_MAX, check=False
        )
        assert found.exists(), done.stdout + done.stderr
        report = json.loads(found.read_text())
    (kill,) = report["struck"]
    told = done.stdout + done.stderr
    assert kill["affected"] == kill["resumed"] == kill["breaks"] > 0, told
    assert (kill["lost"], kill["overflowed"]) == (0, 0), told
    assert [call["failed"] for call in report["calls"]] == [""] * 4
    kept = {promise["name"]: promise["kept"] for promise in report["promises"]}
    assert kept["no call lost"], told
    assert kept["the record is sound"], told
