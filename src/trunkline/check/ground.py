"""Settings, `.env`, the config file and its secrets: what all further steps stand on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from trunkline.check.items import Item, Status, of_lines, ok, warn
from trunkline.config import environment, file, settings
from trunkline.config.file import ConfigFile
from trunkline.config.settings import Settings
from trunkline.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Ground:
    """What was read; None where it is too wrong to go on with."""

    settings: Settings | None
    file: ConfigFile | None
    named: Mapping[str, SecretStr] = field(default_factory=dict)
    """The secrets that the file names, as far as they are set."""


def read(environ: Mapping[str, str], env_file: Path | None) -> tuple[Ground, list[Item]]:
    """Everything that can be known without asking anybody, every fault at once."""
    given, faults = environment.read(environ, env_file)
    items = [item for fault in faults for item in of_lines(Status.FAIL, ".env", fault)]
    if env_file is not None and env_file.is_file() and not faults:
        items.append(ok(".env", f"{env_file} was read; the environment wins over it"))
    found: Settings | None = None
    try:
        found = settings.load(environ, env_file)
    except SettingsError as error:
        told = [line for line in str(error).splitlines() if line not in faults]
        items += of_lines(Status.FAIL, "settings", "\n".join(told))
    else:
        items += _of_settings(found)
    # Of the config file all is said, also where the settings beside it are wrong.
    path = given.get(settings.variable("config")) if found is None else found.config
    config, named, more = _config(None if path is None else Path(path), given)
    return Ground(found, config, named), items + more


def _of_settings(found: Settings) -> list[Item]:
    items = of_lines(Status.FAIL, "settings", "\n".join(found.pod_requirements()))
    items += [item for line in found.warnings for item in of_lines(Status.WARN, "settings", line)]
    if not items:
        cap, target = found.calls_max, found.calls_target
        items.append(ok("settings", f"pod {found.pod_name} carries {cap} calls, aims at {target}"))
    return items


def _config(
    path: Path | None, given: Mapping[str, str]
) -> tuple[ConfigFile | None, Mapping[str, SecretStr], list[Item]]:
    try:
        config = file.load(path)
    except SettingsError as error:
        return None, {}, of_lines(Status.FAIL, "config", str(error))
    items = [item for line in config.warnings for item in of_lines(Status.WARN, "config", line)]
    named: Mapping[str, SecretStr] = {}
    try:
        named = config.resolve_secrets(given)
    except SettingsError as error:
        items += of_lines(Status.FAIL, "config", str(error))
        named = _those_set(config, given)
    parts = config.config
    if path is None:
        why = "TRUNKLINE_CONFIG is not set: one built-in agent answers every number"
    else:
        why = (
            f"{path}: version {parts.version}, {len(parts.agents)} agents, {len(parts.numbers)} "
            f"numbers, {len(parts.tools)} tools, {len(config.secret_names())} secrets"
        )
    silent = sorted(name for name, agent in parts.agents.items() if agent.fallback_script is None)
    if silent:
        items.append(
            warn(
                "fallback scripts",
                f"none for {', '.join(silent)}: with no model to be had, their callers get the "
                "number's overflow action at once",
                "give each agent a fallback_script",
            )
        )
    return config, named, [ok("config", why), *items]


def _those_set(config: ConfigFile, given: Mapping[str, str]) -> Mapping[str, SecretStr]:
    values = {name: environment.secret(given, name)[0] for name in config.secret_names()}
    return {name: SecretStr(value) for name, value in values.items() if value}
