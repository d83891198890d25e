"""Break the promises on purpose: each mutant is a patch of a copy of src, and must be found.

    python tests/world/mutate.py            every mutant, and the clean copy
    python tests/world/mutate.py NAME …     these only

A mutant is found by the first of CI's seeds that breaks; the clean copy must pass all of them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SRC = HERE.parents[1] / "src"
SEEDS = range(1, 21)
CLEAN = "clean"

PLAY = """
import sys
from trunkline.world.run import Plan, run
for seed in map(int, sys.argv[1:]):
    story = run(Plan(seed))
    if story.broken:
        print(f"seed {seed}, {story.broken[0]}")
        sys.exit(1)
"""


def mutants() -> list[str]:
    """Their names, as the patches have them."""
    return sorted(path.stem for path in (HERE / "mutants").glob("*.patch"))


def play(name: str, seeds: range = SEEDS) -> str | None:
    """What the seeds find in a copy of src with this mutant; None: nothing."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(SRC, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if name != CLEAN:
            patch = (HERE / "mutants" / f"{name}.patch").read_text()
            subprocess.run(
                ["patch", "-p1", "--quiet", "--no-backup-if-mismatch", "-d", folder],
                input=patch,
                text=True,
                check=True,
            )
        done = subprocess.run(
            [sys.executable, "-c", PLAY, *map(str, seeds)],
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return None
    told = done.stdout.strip() or done.stderr.strip()
    return told.splitlines()[-1]


def main(names: list[str]) -> int:
    """Play them; the exit code is 1 if one was not found, or the clean copy was."""
    failed = 0
    for name in names or [CLEAN, *mutants()]:
        began = time.monotonic()
        found = play(name)
        bad = (found is None) is not (name == CLEAN)
        failed += bad
        told = f"{name}: {found or 'passes'} ({time.monotonic() - began:.0f} s)"
        sys.stdout.write(f"{'WRONG ' if bad else ''}{told}\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
