"""The root's part that makes the doors to models: one with its pool for each of an agent's list."""

import hashlib
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Final

from pydantic import SecretStr

from trunkline.adapters.realtime_socket import RealtimeDoor
from trunkline.config.file import ConfigFile
from trunkline.config.parts import Model
from trunkline.config.schema import Agent
from trunkline.config.settings import Settings
from trunkline.core import capacity
from trunkline.core.costs import Prices
from trunkline.core.pool import PoolLimits
from trunkline.core.slots import ModelLimit
from trunkline.pod.door import Door
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics

SPARE_SIZE: Final = 1
"""Warm sessions to a model that no agent asks first."""

_SALT: Final = secrets.token_bytes(16)


def models_of(agent: Agent) -> tuple[Model | None, ...]:
    """An agent's models in their order; None is the settings' own."""
    return agent.models or (None,)


def model_id(model: Model | None, settings: Settings, named: Mapping[str, SecretStr]) -> str:
    """A door's name: models of one name, address and key share a pool and their limits. It tells
    nothing of the key but whether it is another.
    """
    key = _key_of(model, settings, named).encode()
    mark = hashlib.blake2b(key, key=_SALT, digest_size=4).hexdigest()
    header = "authorization" if model is None else model.key_header
    name = settings.realtime_model if model is None else model.name
    return "@".join((name, _url_of(model, settings), mark, header))


def _url_of(model: Model | None, settings: Settings) -> str:
    return (model.url if model is not None else None) or settings.realtime_url


def _key_of(model: Model | None, settings: Settings, named: Mapping[str, SecretStr]) -> str:
    key = settings.realtime_api_key
    if model is not None and model.key_env is not None:
        key = named[model.key_env]
    assert key is not None, "pod_requirements() was asked"
    return key.get_secret_value()


class ModelLimits:
    """What the file says of keys, by door: agents that share one share its limit.

    The file can't say two numbers for one; where two ways of writing a model turn out to be the
    same one, the smaller number counts.
    """

    def __init__(
        self, read: ConfigFile, settings: Settings, named: Mapping[str, SecretStr]
    ) -> None:
        self._settings = settings
        self._named = named
        self._sessions_max: dict[str, int] = {}
        for model in (model for agent in read.config.agents.values() for model in agent.models):
            if (most := model.sessions_max) is not None:
                door = model_id(model, settings, named)
                self._sessions_max[door] = min(most, self._sessions_max.get(door, most))

    def sessions_max(self, door: str) -> int | None:
        """How many sessions at once; None: nobody knows."""
        return self._sessions_max.get(door)

    def of(self, agent: Agent) -> tuple[ModelLimit, ...]:
        """An agent's models in their order, and how many calls each may serve."""
        doors = [model_id(model, self._settings, self._named) for model in models_of(agent)]
        most = [self._sessions_max.get(door) for door in doors]
        return tuple(
            ModelLimit(door, None if each is None else capacity.calls_max(each))
            for door, each in zip(doors, most, strict=True)
        )


def doors_of(
    settings: Settings,
    read: ConfigFile,
    named: Mapping[str, SecretStr],
    prices: Prices,
    metrics: Metrics,
    log: Log,
) -> dict[str, Door]:
    """A door with its pool for each model of an agent's list."""
    agents = read.config.agents.values()
    asked_first = {model_id(models_of(agent)[0], settings, named) for agent in agents}
    known = ModelLimits(read, settings, named)
    doors: dict[str, Door] = {}
    for model in (model for agent in read.config.agents.values() for model in models_of(agent)):
        name = model_id(model, settings, named)
        if name in doors:
            continue
        size = settings.pool_size if name in asked_first else min(SPARE_SIZE, settings.pool_size)
        limits = PoolLimits(
            size=size,
            # Twice the cap, since a rollover holds two, and the pool.
            sessions_max=2 * settings.calls_max + size,
            warm_within=known.sessions_max(name),
            waiters_max=2 * settings.calls_max,  # A search asks twice where nobody answers.
        )
        model_name = model.name if model is not None else settings.realtime_model
        to_model = RealtimeDoor(
            _url_of(model, settings),
            model_name,
            _key_of(model, settings, named),
            auth="api-key" if model is not None and model.key_header == "api-key" else "bearer",
        )
        if model_name not in prices.models:
            log.warning(LogName.MODEL_UNPRICED, model=model_name)
        told = partial(_refused, model_name, metrics, log)
        doors[name] = Door(to_model, limits, model_name, on_failure=told)
    return doors


def _refused(model: str, metrics: Metrics, log: Log, reason: str) -> None:
    """A wrong key shows when the pool fills, not only when somebody calls."""
    metrics.realtime_failed(reason)
    log.warning(LogName.SESSION_REFUSED, model=model, reason=reason)
