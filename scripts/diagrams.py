"""Draw the machines' diagrams into docs/explain from their transition tables.

python scripts/diagrams.py           write what has changed
python scripts/diagrams.py --check   say what is out of date, exit code 1 if anything is

A page names the table that it wants drawn, and where:

    <!-- diagram: trunkline.call.phases.NEXT -->
    <!-- end of diagram -->

A table maps each state to its edges, the first state being where it begins. Edges map the next
state to the reason, or the move to the next state.
"""

import argparse
import importlib
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

Table = Mapping[StrEnum, Mapping[StrEnum, str]]

EXPLAIN = Path(__file__).parents[1] / "docs" / "explain"

BLOCK = re.compile(
    r"(<!-- diagram: (?P<module>[\w.]+)\.(?P<name>\w+) -->\n).*?(<!-- end of diagram -->)",
    re.DOTALL,
)

ENDS_A_LABEL = re.compile("[:;\n]")


def mermaid(table: Table) -> str:
    """A table as a Mermaid state diagram."""
    first = next(iter(table))
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    for state, edges in table.items():
        for key, value in edges.items():
            after, label = (value, key) if isinstance(value, type(first)) else (key, value)
            assert not ENDS_A_LABEL.search(label), f"Mermaid would cut {label!r}"
            lines.append(f"    {state} --> {after}: {label}")
        if not edges:
            lines.append(f"    {state} --> [*]")
    return "\n".join([*lines, "```", ""])


def drawn(page: str) -> str:
    """A page with the tables that it names drawn."""

    def block(found: re.Match[str]) -> str:
        table = getattr(importlib.import_module(found["module"]), found["name"])
        return f"{found[1]}{mermaid(table)}{found[4]}"

    assert page.count("<!-- diagram:") == len(BLOCK.findall(page)), "a diagram without an end"
    return BLOCK.sub(block, page)


def main() -> int:
    """Write the pages, or check them."""
    options = argparse.ArgumentParser(description="Draw the machines' diagrams.")
    options.add_argument("--check", action="store_true")
    options.add_argument("--docs", type=Path, default=EXPLAIN)
    chosen = options.parse_args()
    stale = []
    for path in sorted(chosen.docs.glob("*.md")):
        page = path.read_text()
        if (new := drawn(page)) != page:
            stale.append(path.name)
            if not chosen.check:
                path.write_text(new)
    if chosen.check and stale:
        print(f"out of date: {', '.join(stale)}: run python scripts/diagrams.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
