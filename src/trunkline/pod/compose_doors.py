"""The root's part that makes the doors to models: one with its pool for each of an agent's list."""

import hashlib
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Final

from pydantic import SecretStr

from trunkline.adapters.realtime_socket import RealtimeDoor
from trunkline.config.file import ConfigFile
from trunkline.config.schema import Agent, Model
from trunkline.config.settings import Settings
from trunkline.core.costs import Prices
from trunkline.core.pool import PoolLimits
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
    """A door's name: models of one name, address and key share a pool. It tells nothing of the key
    but whether it is another.
    """
    if model is None:
        return settings.realtime_model
    mark = None
    if model.key_env is not None:
        key = named[model.key_env].get_secret_value().encode()
        mark = hashlib.blake2b(key, key=_SALT, digest_size=4).hexdigest()
    return "@".join(filter(None, (model.name, model.url, model.key_env, mark, model.key_header)))


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
            waiters_max=2 * settings.calls_max,  # A search asks twice where nobody answers.
        )
        key = settings.realtime_api_key
        if model is not None and model.key_env is not None:
            key = named[model.key_env]
        assert key is not None, "pod_requirements() was asked"
        model_name = model.name if model is not None else settings.realtime_model
        to_model = RealtimeDoor(
            (model.url if model is not None else None) or settings.realtime_url,
            model_name,
            key.get_secret_value(),
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
