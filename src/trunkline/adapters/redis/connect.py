"""A client of Valkey or Redis with deadlines, and the check of a store at start."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Final, TypeAlias

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.sentinel import MasterNotFoundError

from trunkline.adapters import tls
from trunkline.adapters.redis import address, pools
from trunkline.adapters.redis.pools import CONNECTIONS_MAX, STEP_S_MAX, Demoted
from trunkline.errors import SettingsError, StoreError

Facts: TypeAlias = dict[str, object]
"""What a store tells of itself, by its names in INFO."""

REASONS: Final[Mapping[type[Exception], str]] = {
    exceptions.AuthenticationError: "it refused the URL's user or password",
    exceptions.BusyLoadingError: "it is still loading its data",
    Demoted: "it has become a replica",
    MasterNotFoundError: "no sentinel answers us with a primary of the URL's service",
}
"""What the driver's faults say to an operator; any other is told by its kind."""


def connect(url: str, *, connections_max: int = CONNECTIONS_MAX) -> Redis:
    """A client for any URL that `address` reads; connects when first used.

    After a failover it finds the new primary by itself: through the sentinels, or by the URL's
    name. A step that falls into a failover is a `StoreError`, and its caller tries again.
    The caller closes it (`aclose`).

    Raises:
        SettingsError: the URL can't be read or used. The text holds nothing of it: it may hold a
            password.
    """
    return Redis.from_pool(pools.make(address.read(url), connections_max))


@contextlib.asynccontextmanager
async def store_errors() -> AsyncIterator[None]:
    """One step of a port: bounded in time, and with faults of ours only.

    Raises:
        StoreError: no answer in time, no connection, or refused; the text holds no argument.
    """
    try:
        async with asyncio.timeout(STEP_S_MAX):
            yield
    except (TimeoutError, exceptions.TimeoutError) as fault:
        raise StoreError("Redis did not answer in time") from fault
    except exceptions.ResponseError as fault:
        # The kind, and not its text: an answer may quote what we sent.
        raise StoreError(f"Redis refused: {type(fault).__name__}") from fault
    except (exceptions.RedisError, OSError) as fault:
        raise StoreError(f"Redis can't be reached: {_why(fault)}") from fault


def _why(fault: Exception) -> str:
    for kind, told in REASONS.items():
        if tls.caused_by(fault, kind) is not None:
            return told
    return tls.why(fault) or type(tls.caused_by(fault, OSError) or fault).__name__


async def check(client: Redis) -> tuple[str, ...]:
    """Whether a store will do for journals; what it did not let us know, a line each.

    INFO tells all. Where a managed store keeps it, or a part of it, to itself, ROLE and CONFIG GET
    are asked.

    Raises:
        SettingsError: it is a cluster or a replica, or evicts keys; the text says the remedy.
        StoreError: it did not answer.
    """
    facts = await _told(_info(client)) or {}
    if "role" not in facts:
        facts |= await _told(_role(client)) or {}
    if "maxmemory_policy" not in facts:
        facts |= await _told(_policy(client)) or {}
    if (refusal := refusal_of(facts)) is not None:
        raise SettingsError(f"TRUNKLINE_REDIS_URL: {refusal}")
    return tuple(f"TRUNKLINE_REDIS_URL: {doubt}" for doubt in doubts_of(facts))


async def _told(question: Coroutine[object, object, Facts]) -> Facts | None:
    """The answer to a question; None if our user may not ask it."""
    async with store_errors():
        try:
            return await question
        except exceptions.ResponseError:
            return None


async def _info(client: Redis) -> Facts:
    return dict(await client.info())


async def _role(client: Redis) -> Facts:
    role, *_ = await client.role()
    return {"role": role.decode()}


async def _policy(client: Redis) -> Facts:
    answer = await client.config_get("maxmemory-policy")
    policy = answer.get("maxmemory-policy")
    return {} if policy is None else {"maxmemory_policy": policy}


def refusal_of(facts: Mapping[str, object]) -> str | None:
    """Why a store won't do, by its INFO, and the remedy; None if it will."""
    if facts.get("cluster_enabled") == 1:
        return (
            "the store is a cluster, and our scripts touch several keys at once: name a primary"
            " with replicas"
        )
    # Valkey has another name for the mode than Redis.
    if "sentinel" in {facts.get(name) for name in ("redis_mode", "server_mode", "role")}:
        return "this is a sentinel: write redis+sentinel://HOST:PORT,HOST:PORT/SERVICE"
    if facts.get("role") == "slave":
        return "the store is a replica: name its primary"
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return (
            f"the store's maxmemory-policy is {policy}, which throws live calls away when memory"
            " is short: set it to noeviction"
        )
    return None


def doubts_of(facts: Mapping[str, object]) -> tuple[str, ...]:
    """What could not be asked, and so is the operator's to know."""
    doubts = []
    if "maxmemory_policy" not in facts:
        doubts.append(
            "the store tells us neither INFO nor CONFIG GET maxmemory-policy: make sure that it is"
            " noeviction, or live calls are thrown away when memory is short"
        )
    if "role" not in facts:
        doubts.append("the store does not tell whether it is a replica: make sure that it is none")
    return tuple(doubts)
