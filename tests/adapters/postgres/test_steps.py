import re

from trunkline.adapters.postgres.migrate import STEPS, revisions
from trunkline.adapters.postgres.steps import chain, sql


def test_steps_are_numbered_and_say_when_they_run() -> None:
    """NNNN_pre_… runs before the code that needs it, NNNN_post_… after; each follows the last."""
    names = sorted(path.name for path in STEPS.glob("versions/*.py"))
    parts = [re.fullmatch(r"(\d{4})_(pre|post)_\w+\.py", name) for name in names]
    numbers = [part[1] for part in parts if part]
    assert numbers == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert revisions() == numbers[::-1] == chain(STEPS)


def test_steps_are_text_that_needs_no_database() -> None:
    """They are what would run: an operator may read it first."""
    text = sql(STEPS, "base")
    assert "CREATE TABLE facts" in text
    assert "BEGIN" not in text
    assert "COMMIT" not in text
