import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.config import tree
from trunkline.config.tree import Mark, name_of, parse


def faults(content: str | bytes) -> list[str]:
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return [fault.line(Path("f")) for fault in sorted(parse(content).faults)]


def root(content: str) -> tree.Value:
    parsed = parse(content.encode())
    assert parsed.faults == []
    return parsed.root


def test_values_are_json_s() -> None:
    """Text, numbers, true, false, null, lists, mappings; nothing else."""
    assert root(
        "a: text\nb: 12\nc: 1.5\nd: true\ne: null\nf: ~\ng: [1, [2]]\nh: {i: {}}\n"
        "j: 2026-01-01\nk: 'no'\nl: no\nm: 0x1F\nn:\n"
    ) == {
        "a": "text", "b": 12, "c": 1.5, "d": True, "e": None, "f": None, "g": [1, [2]],
        "h": {"i": {}}, "j": "2026-01-01", "k": "no", "l": "no", "m": 31, "n": None,
    }  # fmt: skip


def test_a_phone_number_needs_no_quotes() -> None:
    """As a key or a value, its sign is kept; so are zeros in front."""
    assert root("+15550100001: +15550100002\ncode: 007\n") == {
        "+15550100001": "+15550100002",
        "code": "007",
    }


def test_every_value_has_its_place() -> None:
    """Keys and values by line and column, both from 1."""
    parsed = parse(b"a:\n  - b: 1\n  -   c: two\n")
    assert parsed.mark(("a", 0, "b"), of_key=True) == Mark(2, 5)
    assert parsed.mark(("a", 0, "b")) == Mark(2, 8)
    assert parsed.mark(("a", 1, "c")) == Mark(3, 10)
    assert parsed.mark(("a", 1, "missing", "deeper")) == Mark(3, 7)
    assert parsed.mark(("a", 1, "missing"), of_key=True) == Mark(3, 7)
    assert parsed.mark(()) == Mark(1, 1)
    assert tree.Tree().mark(("x",)) == Mark(1, 1)


def test_a_place_has_a_name() -> None:
    """As a person would write it."""
    assert name_of(("agents", "desk", "tools", 0)) == "agents.desk.tools[0]"
    assert name_of(()) == ""


def test_aliases_and_merges() -> None:
    """A value said once; what stands in a mapping goes before what `<<` brings."""
    assert root("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\nd: {<<: [{q: 4}, *x], r: 5}\n") == {
        "a": {"p": 1, "q": 2},
        "b": {"p": 1, "q": 2},
        "c": {"q": 3, "p": 1},
        "d": {"r": 5, "q": 4, "p": 1},
    }
    assert parse(b"a: &x {p: 1}\nb: {<<: *x}\n").mark(("b", "p")) == Mark(1, 11)


def test_an_anchor_may_be_used_again() -> None:
    """YAML allows it."""
    assert root("a: &x 1\nb: &x 2\nc: *x\n") == {"a": 1, "b": 2, "c": 2}


def test_nothing_is_nothing() -> None:
    """An empty file, or one of comments."""
    assert root("") is None
    assert root("# only\n") is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: 1\nb: 2\n a: 3\n", "f:3:3: not YAML: "),
        ("a: [1, 2\n", "f:2:1: not YAML: while parsing a flow sequence expected ',' or ']'"),
        ("a: 'x\n", "f:2:1: not YAML: while scanning a quoted scalar found unexpected end"),
        ("a: *nobody\n", "f:1:4: not YAML: found undefined alias 'nobody'"),
        ("a: 1\n---\nb: 2\n", "f:2:1: not YAML: expected a single document"),
        ("\ta: 1\n", "f:1:1: not YAML: "),
        ("a: \x00\n", "f:1:1: not YAML: it holds characters that YAML forbids"),
        (b"a: 1\nb: \xff\n", "f:2:1: not UTF-8; expected UTF-8 text"),
        ("a: 1\nb: 2\na: 3\n", "f:3:1: a: given twice; first in line 1"),
        ("x: {a: 1, a: 2}\n", "f:1:11: x.a: given twice; first in line 1"),
        ("[a]: 1\n", "f:1:1: a key is a list or a mapping; expected text"),
        ("a: !!python/object:os.system x\n", "f:1:4: a: the tag !!python/object:os.system"),
        ("a: !mine {}\n", "f:1:4: a: the tag !mine is not allowed; expected a plain value"),
        ("a: !!set {b}\n", "f:1:4: a: the tag !!set is not allowed"),
        ("a: !!binary aGk=\n", "f:1:4: a: the tag !!binary is not allowed"),
        ("a: 1e999\n", "f:1:4: a: expected a finite number"),
        ('a: "x\\ud800"\n', "f:1:4: a: expected text, without NUL and halves of characters"),
        ('a: ["\\0"]\n', "f:1:5: a[0]: expected text, without NUL"),
        ('"\\0": 1\n', "f:1:1: a key holds a character that is no text"),
        ("a: {<<: 1}\n", "f:1:9: a: << expects a mapping or a list of mappings"),
        ("a: &a [*a]\n", "f:1:4: a[0]"),
        ("a: &a {b: *a}\n", "f:1:4: a.b.b"),
        ("a: &a {<<: *a}\n", "f:1:4: a: more than 50 levels; does an alias hold itself?"),
        ("[" * 5000, "f:1:1: nested deeper than 50 levels"),
        ("[" * 60 + "]" * 60, "f:1:52: [0]"),
        (b"#" * (tree.FILE_BYTES_MAX + 1), "f:1:1: the file is over 1048576 bytes"),
    ],
)
def test_what_is_wrong_has_its_place(content: str | bytes, expected: str) -> None:
    """One fault, where it is, and what was expected."""
    (line,) = faults(content)
    assert line.startswith(expected)


def test_every_double_is_told() -> None:
    """Not the first alone."""
    assert len(faults("a: 1\na: 2\na: 3\nb: {c: 1, c: 2}\n")) == 3


def test_a_billion_laughs_are_cut_short() -> None:
    """Aliases of aliases: one fault, and soon."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    merges = ["m0: &m0 {x: 1}"]
    merges += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    for text in (lines, merges):
        started = time.thread_time()
        (line,) = faults("\n".join(text))
        assert "more than 100000 values" in line
        assert time.thread_time() - started < 10


@given(st.one_of(st.text(), st.text("ab:-[]{}&*!<#|>'\"\n \t1+?,", max_size=60), st.binary()))
def test_anything_is_a_tree(content: str | bytes) -> None:
    """Nothing raises: values, or faults."""
    faults(content)
