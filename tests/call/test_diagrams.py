"""The diagrams of docs/explain are drawn from the transition tables."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPLAIN = ROOT / "docs" / "explain"


def diagrams(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "diagrams.py", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    copy = tmp_path / "explain"
    shutil.copytree(EXPLAIN, copy)
    return copy


def test_the_pages_are_up_to_date() -> None:
    """`python scripts/diagrams.py` has been run after the last change of a table."""
    assert diagrams("--check") == (0, "")


def test_a_page_that_is_out_of_date_is_found_and_mended(docs: Path) -> None:
    """The check can fail, and writing makes it pass."""
    page = docs / "call.md"
    good = page.read_text()
    page.write_text(good.replace("expected --> opening", "expected --> talking"))
    code, said = diagrams("--check", "--docs", docs)
    assert code == 1
    assert "call.md" in said
    assert diagrams("--docs", docs) == (0, "")
    assert page.read_text() == good


def test_a_diagram_that_does_not_end_is_found(docs: Path) -> None:
    """Else the rest of the page would be drawn over, or the diagram never."""
    page = docs / "call.md"
    page.write_text(page.read_text() + "\n<!-- diagram: trunkline.call.phases.NEXT -->\n")
    code, said = diagrams("--docs", docs)
    assert code == 1
    assert "a diagram without an end" in said


def test_a_page_shows_every_machine_of_a_call() -> None:
    """Phases, line and responses."""
    page = (EXPLAIN / "call.md").read_text()
    for table in ("phases.NEXT", "phases.LINE_NEXT", "responses.RESPONSE_NEXT"):
        assert f"<!-- diagram: trunkline.call.{table} -->" in page
