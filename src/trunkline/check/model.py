"""The realtime models: a session to each is opened and closed, which costs nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import SecretStr

from trunkline.adapters.realtime_socket import RealtimeDoor
from trunkline.check.ground import Ground
from trunkline.check.items import Item, fail, ok, warn
from trunkline.config.parts import Model
from trunkline.core import capacity
from trunkline.errors import ModelError, SettingsError

MODELS_MAX: Final = 16
"""So many are asked; of more it is said."""

SHAPE: Final = "it does not speak the GA form of the protocol: look at the URL"

REMEDIES: Final[Mapping[str, str]] = {
    "invalid_api_key": "copy the key again",
    "model_not_found": "mend the model's name, or ask the provider for access to it",
    "insufficient_quota": "the account has no credit left: add some at the provider",
    "billing_hard_limit_reached": "raise the account's spending limit at the provider",
    "account_deactivated": "ask the provider why the account is closed",
    "beta_api_shape_disabled": SHAPE,
    "protocol": SHAPE,
    "unreachable": "does this machine reach the URL's host and port, and trust its certificate?",
    "timeout": "does this machine reach the URL's host and port?",
}
"""For reasons that a pod's calls would meet too. Any other may pass by itself."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One model as a pod would reach it. `key_name` is where its key comes from."""

    name: str
    url: str
    key: SecretStr
    key_name: str
    header: Literal["bearer", "api-key"]
    sessions_max: int | None = None


async def check_models(ground: Ground) -> list[Item]:
    """Every model that an agent names, those that are tried second included."""
    models = _models(ground)
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_ask(model)) for model in models[:MODELS_MAX]]
    items = [one.result() for one in asked]
    if len(models) > MODELS_MAX:
        why = f"{len(models) - MODELS_MAX} more models are named and were not asked"
        items.append(warn("model", why, "look at their keys yourself"))
    return items


def _models(ground: Ground) -> list[_Asked]:
    """Each once. A model whose key is missing has its item elsewhere."""
    settings, found = ground.settings, dict[tuple[str, str, str], _Asked]()
    if settings is None or ground.file is None:
        return []
    for agent in ground.file.config.agents.values():
        for model in agent.models or (Model.model_construct(name=settings.realtime_model),):
            key_name = model.key_env or "TRUNKLINE_REALTIME_API_KEY"
            key = settings.realtime_api_key
            if model.key_env is not None:
                key = ground.named.get(model.key_env)
            if key is None:
                continue
            url = model.url or settings.realtime_url
            asked = _Asked(
                model.name,
                url,
                key,
                key_name,
                "api-key" if model.key_header == "api-key" else "bearer",
                model.sessions_max,
            )
            before = found.get((model.name, url, key_name))
            if before is None or before.sessions_max is None:
                found[(model.name, url, key_name)] = asked
    return list(found.values())


async def _ask(model: _Asked) -> Item:
    what = f"{model.name} by {model.key_name}"
    try:
        door = RealtimeDoor(model.url, model.name, model.key.get_secret_value(), auth=model.header)
        session = await door.open()
    except SettingsError as error:
        return fail("model", f"{what}: {error}", "")
    except ModelError as error:
        reason = str(error)
        if reason in REMEDIES:
            return fail("model", f"{what}: {reason}", REMEDIES[reason])
        return warn("model", f"{what}: {reason}", "this may pass: check again in a minute")
    await session.close()
    return ok("model", f"{what}: a session was opened and closed{_limit(model)}")


def _limit(model: _Asked) -> str:
    """What the file says of its key, and what follows for calls."""
    most = model.sessions_max
    if most is None:
        return ""
    return f"; of {most} sessions at once {capacity.calls_max(most)} are for calls"
