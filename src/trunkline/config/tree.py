"""YAML as plain values, with the place of every one of them.

Only what JSON can say is read: mappings with text keys, lists, text, numbers, true, false, null.
A key is taken as it is written, and so is a plain `+15550100001`: YAML would make it a number
and lose its sign.
"""

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

FILE_BYTES_MAX: Final = 1024 * 1024
"""A longer file is refused unread."""

NODES_MAX: Final = 100_000
"""More values than any honest file has; aliases of aliases could make billions of them."""

DEPTH_MAX: Final = 50
"""Nesting deeper than this is refused."""

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
Place = tuple[str | int, ...]
"""Where a value stands: keys and indices from the root."""

_TAG: Final = "tag:yaml.org,2002:"
_UNSAYABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""What neither JSON nor the stores take: an escape in quotes can make it."""

_TRUE: Final = frozenset({"true", "True", "TRUE"})


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the file, both counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong, and where: `path` names the value as a person would."""

    mark: Mark
    path: str
    text: str

    def line(self, file: Path) -> str:
        """As an error is told: `file:line:column: path: text`."""
        place = f"{file}:{self.mark.line}:{self.mark.column}: "
        return place + (f"{self.path}: {self.text}" if self.path else self.text)


@dataclass(slots=True)
class Tree:
    """A file's values, the marks of their keys and of themselves, and what was wrong with them."""

    root: Value = None
    keys: dict[Place, Mark] = field(default_factory=dict)
    values: dict[Place, Mark] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def mark(self, path: Sequence[str | int], *, of_key: bool = False) -> Mark:
        """The place of a value, or the nearest around it that the file has."""
        whole = tuple(path)
        if of_key and whole in self.keys:
            return self.keys[whole]
        for length in range(len(whole), -1, -1):
            if whole[:length] in self.values:
                return self.values[whole[:length]]
        return Mark()


def name_of(path: Sequence[str | int]) -> str:
    """A path as a person would write it: `agents.desk.tools[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse(content: bytes) -> Tree:
    """Read YAML. What it can't say is in the tree's faults; then values may be missing."""
    tree = Tree()
    if len(content) > FILE_BYTES_MAX:
        tree.faults.append(Fault(Mark(), "", f"the file is over {FILE_BYTES_MAX} bytes"))
        return tree
    try:
        text = content.decode("utf-8-sig")
        with warnings.catch_warnings():
            # YAML lets an anchor's name be used again; the library warns.
            warnings.simplefilter("ignore", YAMLWarning)
            node = YAML(typ="safe", pure=True).compose(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        tree.faults.append(Fault(Mark(line), "", "not UTF-8; expected UTF-8 text"))
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(at.line + 1, at.column + 1) if at is not None else Mark()
        said = " ".join(part for part in (error.context, error.problem) if part)
        tree.faults.append(Fault(mark, "", f"not YAML: {' '.join(said.split())}"))
    except (YAMLError, ValueError):
        tree.faults.append(Fault(Mark(), "", "not YAML: it holds characters that YAML forbids"))
    except RecursionError:
        tree.faults.append(Fault(Mark(), "", f"nested deeper than {DEPTH_MAX} levels"))
    else:
        if node is not None:
            tree.root = _Reader(tree).value(node, ())
    return tree


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._nodes = 0
        self._full = False

    def value(self, node: Node, path: Place) -> Value:
        """The node's value; its places and faults go into the tree."""
        self._tree.values[path] = _mark(node)
        if not self._counted(node, path, len(path)):
            return None
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [
                self.value(item, (*path, index))
                for index, item in enumerate(node.value)
                if not self._full
            ]
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self._fault(node, path, f"the tag {_tag(node)} is not allowed; expected a plain value")
        return None

    def _mapping(self, node: MappingNode, path: Place) -> Value:
        values: dict[str, Value] = {}
        for key, item, merged in self._pairs(node, path):
            if self._full:
                break
            if not isinstance(key, ScalarNode):
                self._fault(key, path, "a key is a list or a mapping; expected text")
                continue
            name = str(key.value)
            if _UNSAYABLE.search(name):
                self._fault(key, path, "a key holds a character that is no text")
                continue
            inner = (*path, name)
            if name not in values:
                self._tree.keys[inner] = _mark(key)
                values[name] = self.value(item, inner)
            elif not merged:
                first = self._tree.keys[inner]
                self._fault(key, inner, f"given twice; first in line {first.line}")
        return values

    def _pairs(
        self, node: MappingNode, path: Place, depth: int = 0
    ) -> Iterator[tuple[Node, Node, bool]]:
        """Key, value, and whether `<<` brought them: a mapping's own come first, and win."""
        for key, item in node.value:
            if key.tag != _TAG + "merge":
                yield key, item, depth > 0
        for key, item in node.value:
            if key.tag != _TAG + "merge":
                continue
            for source in item.value if isinstance(item, SequenceNode) else [item]:
                if not isinstance(source, MappingNode):
                    self._fault(source, path, "<< expects a mapping or a list of mappings")
                elif self._counted(source, path, depth):
                    yield from self._pairs(source, path, depth + 1)

    def _counted(self, node: Node, path: Place, depth: int) -> bool:
        """Count one more node; False, and a fault once, when there are too many."""
        self._nodes += 1
        if self._nodes <= NODES_MAX and depth <= DEPTH_MAX:
            return not self._full
        if not self._full:
            limit = f"{DEPTH_MAX} levels" if depth > DEPTH_MAX else f"{NODES_MAX} values"
            self._fault(node, path, f"more than {limit}; does an alias hold itself?")
        self._full = True
        return False

    def _scalar(self, node: ScalarNode, path: Place) -> Value:
        text = str(node.value)
        if _UNSAYABLE.search(text):
            self._fault(node, path, "expected text, without NUL and halves of characters")
            return None
        match str(node.tag).removeprefix(_TAG):
            case "str" | "timestamp":
                return text
            case "null":
                return None
            case "bool":
                return text in _TRUE
            case "int" | "float" as kind:
                return self._number(node, path, text, kind)
            case _:
                self._fault(node, path, f"the tag {_tag(node)} is not allowed; expected plain text")
                return None

    def _number(self, node: ScalarNode, path: Place, text: str, kind: str) -> Value:
        if text.startswith("+"):
            return text
        try:
            number = float(text.replace("_", "")) if kind == "float" else int(text, 0)
        except ValueError:
            # 007 and 1:30 are numbers in some YAML and text to anybody else.
            return text
        if isinstance(number, float) and not math.isfinite(number):
            self._fault(node, path, "expected a finite number")
            return None
        return number

    def _fault(self, node: Node, path: Place, text: str) -> None:
        self._tree.faults.append(Fault(_mark(node), name_of(path), text))


def _mark(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _tag(node: Node) -> str:
    return str(node.tag)[:60].replace(_TAG, "!!")
