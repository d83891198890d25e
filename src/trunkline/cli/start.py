"""What a pod starts from: settings and config file, checked whole before anything is loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from trunkline.cli.env import file_of, read_settings
from trunkline.config import prices
from trunkline.config.file import ConfigFile
from trunkline.config.settings import Settings
from trunkline.config.source import Source
from trunkline.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Start:
    """What a pod starts from, checked whole."""

    settings: Settings
    file: ConfigFile
    named: Mapping[str, SecretStr]
    source: Source
    """From which the config is read again."""


def read(env_file: Path | None, *, needs_stores: bool = False) -> Start:
    """What a pod starts from.

    Raises:
        SettingsError: a line for each setting that is wrong or missing, or for each fault in the
            config file.
    """
    found = read_settings(env_file)
    missing = found.pod_requirements()
    if needs_stores:
        missing += [
            f"TRUNKLINE_{name}: missing; set it to the store that all pods use (`trunkline up` "
            "starts one of its own)"
            for name, url in (
                ("REDIS_URL", found.redis_url),
                ("DATABASE_URL", found.database_url),
            )
            if url is None
        ]
    if missing:
        raise SettingsError("\n".join(missing))
    prices.load(found.prices)  # What is wrong with it is told before a store is started.
    source = Source(found.config, os.environ, file_of(env_file))
    loaded = source.load()
    return Start(found, loaded.file, loaded.named, source)
