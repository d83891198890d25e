"""`trunkline.yaml`: read, checked whole, every fault told at once with its line and column."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import JsonValue, SecretStr, ValidationError

from trunkline.config import environment, references
from trunkline.config.explain import explain
from trunkline.config.schema import Agent, Config, HttpTool, Number
from trunkline.config.tree import Fault, Mark, Place, Tree, name_of, parse
from trunkline.config.values import ANYONE
from trunkline.errors import SettingsError

FAULTS_MAX: Final = 100
"""More faults than this are only counted: the first ones explain the rest."""

BUILT_IN_AGENT: Final = "assistant"

SCHEMA_ID: Final = "trunkline.schema.json"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config and where it came from; `path` is None for the built-in one.

    `warnings` are lines as errors are, for what hinders nothing.
    """

    config: Config
    path: Path | None = None
    warnings: tuple[str, ...] = ()
    _tree: Tree = field(default_factory=Tree, repr=False)

    @property
    def folder(self) -> Path | None:
        """Where the modules of `python` tools are looked for."""
        return None if self.path is None else self.path.resolve().parent

    def secret_names(self) -> frozenset[str]:
        """The environment variables whose secrets the file names."""
        return frozenset(name for _, name in _secret_names(self.config))

    def resolve_secrets(self, environ: Mapping[str, str]) -> dict[str, SecretStr]:
        """The secrets that the file names, by the names of their environment variables.

        `environ` is what `environment.read` gave; `NAME_FILE` may name a file that holds NAME.

        Raises:
            SettingsError: a line for each that is not set: where it is named, never a value.
        """
        secrets: dict[str, SecretStr] = {}
        faults: list[Fault] = []
        for place, name in _secret_names(self.config):
            value, wrong = environment.secret(environ, name)
            if value is not None and not (value.isprintable() and value.isascii()):
                wrong = f"{name}: expected one line of printable ASCII"
            elif value is not None:
                secrets[name] = SecretStr(value)
            elif wrong is None:
                wrong = f"the environment variable {name} is not set; set it or {name}_FILE"
            if wrong is not None:
                faults.append(Fault(self._tree.mark(place), name_of(place), wrong))
        if faults:
            raise SettingsError(_lines(self.path or Path("built-in"), faults))
        return secrets


def load(path: Path | None) -> ConfigFile:
    """The config in a file; without one, a built-in agent that answers every number.

    Raises:
        SettingsError: a line for each fault: `file:line:column: path: what is wrong`.
    """
    if path is None:
        return ConfigFile(built_in())
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); expected the config file"
        ) from None
    return read(content, path)


def read(content: bytes, path: Path) -> ConfigFile:
    """As `load`, from a file's content; `path` is what errors call it."""
    tree = parse(content)
    faults = list(tree.faults)
    if tree.root is None and not faults:
        faults.append(Fault(Mark(), "", "the file is empty; expected agents and numbers"))
    if tree.root is None:
        raise SettingsError(_lines(path, faults))
    config: Config | None = None
    try:
        # As JSON, strictly: what is text stays text, and lists may become tuples.
        config = Config.model_validate_json(json.dumps(tree.root))
    except ValidationError as error:
        faults += explain(error, tree, json_schema())
    faults += _faults(tree, references.unresolved(tree.root))
    if faults:
        raise SettingsError(_lines(path, faults))
    assert config is not None
    doubts = _faults(tree, references.doubtful(config))
    warnings = tuple(doubt.line(path) for doubt in sorted(doubts))
    return ConfigFile(config, path, warnings, tree)


def built_in() -> Config:
    """One agent that answers every number, for a first call without a file."""
    agent = Agent(
        instructions=(
            "You answer the phone. Be friendly and brief: one or two short sentences at a time. "
            "Find out what the caller wants and help as far as you can without looking anything "
            "up. Say so when you do not know. When the caller has what they need, say goodbye "
            "and end the call."
        ),
        greeting="Say hello, say that you are the assistant on this line, and ask how to help.",
        tools=("end_call",),
        # Word for word that of `pod/voice`: it has its audio without anybody rendering it.
        fallback_script=(
            "We are sorry, there is a technical problem. "
            "Please stay on the line, or call again in a few minutes."
        ),
    )
    return Config(agents={BUILT_IN_AGENT: agent}, numbers={ANYONE: Number(agent=BUILT_IN_AGENT)})


@functools.cache
def json_schema() -> Mapping[str, JsonValue]:
    """The file's JSON schema, for editors: every key described."""
    schema: dict[str, JsonValue] = Config.model_json_schema()
    head: dict[str, JsonValue] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
    }
    return head | schema | {"title": "trunkline.yaml"}


def _secret_names(config: Config) -> Iterator[tuple[Place, str]]:
    for name, agent in config.agents.items():
        for index, model in enumerate(agent.models):
            if model.key_env is not None:
                yield ("agents", name, "models", index, "key_env"), model.key_env
    for name, tool in config.tools.items():
        if isinstance(tool, HttpTool):
            for header, variable in tool.secret_headers.items():
                yield ("tools", name, "secret_headers", header), variable
            if tool.sign_with is not None:
                yield ("tools", name, "sign_with"), tool.sign_with
    if config.context_hook is not None and config.context_hook.sign_with is not None:
        yield ("context_hook", "sign_with"), config.context_hook.sign_with


def _faults(tree: Tree, findings: Iterator[references.Finding]) -> list[Fault]:
    return [Fault(tree.mark(place), name_of(place), text) for place, text in findings]


def _lines(path: Path, faults: list[Fault]) -> str:
    lines = [fault.line(path) for fault in sorted(faults)]
    if len(lines) > FAULTS_MAX:
        lines[FAULTS_MAX:] = [f"{path}: and {len(lines) - FAULTS_MAX} more"]
    return "\n".join(lines)
