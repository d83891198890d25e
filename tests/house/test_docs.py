"""Links lead somewhere, and the commands that pages tell exist."""

import re
from pathlib import Path

import pytest

from trunkline.cli.app import ROOMS

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"trunkline (?P<command>[a-z]+)(?= |`|$)", re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`|^    .+$|^```.*?^```", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r" # .*$", re.MULTILINE)
MAKE = re.compile(r"^ *make ([a-z]+)", re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files(page: Path) -> None:
    """Whoever follows one finds a page."""
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_that_are_told_exist(page: Path) -> None:
    """No page tells to run what is not there."""
    code = COMMENT.sub("", "\n".join(CODE.findall(page.read_text())))
    told = {found["command"] for found in COMMAND.finditer(code)}
    assert told <= ROOMS.keys() | {"answers"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(MAKE.findall(code)) <= targets
