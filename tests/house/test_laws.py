"""The house's laws that the linters do not see."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "trunkline"
TESTS = Path(__file__).parents[1]

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PURE = ("core", "wire", "call")
SYNCHRONOUS_CLOCKS = {"time", "monotonic", "perf_counter", "now", "utcnow", "today"}

WITHOUT_A_TEST_FILE = {
    "cli/main.py": "tests/acceptance/test_commands.py runs every command as a user does",
    "loadtest/run.py": "tests/acceptance/test_loadtest.py runs the load test whole, interrupted",
    "demo/run.py": "tests/acceptance/test_commands.py runs the demo whole, killed and interrupted",
}
"""Modules with no test file of their own, each with its reason."""


MODULES = [path for path in sorted(SRC.rglob("*.py")) if "migrations" not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(SRC))


def declares_only(path: Path) -> bool:
    """Whether a module holds records and protocols, and no statement that could be wrong."""
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for function in functions
        for statement in function.body
    )


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    """No module over 400 lines, no function over 60."""
    text = path.read_text()
    assert len(text.splitlines()) <= MODULE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.relative_to(SRC).parts[0] in PURE], ids=name_of
)
def test_what_decides_neither_waits_nor_reads_a_clock(path: Path) -> None:
    """No async code and no clock in core, wire and call: time is an argument."""
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            base = node.func.value
            if isinstance(base, ast.Name) and base.id in {"time", "datetime", "date"}:
                assert node.func.attr not in SYNCHRONOUS_CLOCKS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_has_a_test_file_of_its_own(path: Path) -> None:
    """tests/ mirrors src/; an __init__ is a map and holds no logic."""
    inside = path.relative_to(SRC)
    if inside.name == "__init__.py":
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), "an __init__ is its package's map"
        assert len(tree.body) == 1, "an __init__ holds no logic"
        return
    if str(inside) in WITHOUT_A_TEST_FILE or declares_only(path):
        return
    mirror = TESTS / inside.parent / f"test_{inside.name}"
    assert mirror.exists(), f"write {mirror.relative_to(TESTS.parent)}"


def test_the_list_of_exceptions_is_true() -> None:
    """Nothing stays on the list that has gone or has a test file now."""
    for name in WITHOUT_A_TEST_FILE:
        assert (SRC / name).exists()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_broad_except_stands_only_at_a_root(path: Path) -> None:
    """`except Exception` is for the root of a call, of a chore beside them and of a process."""
    roots = {"pod/chores.py", "pod/runner.py"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in {"Exception", "BaseException", "everything"} or (
                name_of(path) in roots
            )
