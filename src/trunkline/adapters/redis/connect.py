"""A client of Valkey or Redis with deadlines, and the check of a store at start."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from trunkline.errors import SettingsError, StoreError

CONNECT_S_MAX: Final = 2.0
COMMAND_S_MAX: Final = 2.0
"""Time for one command's answer. Then the connection is thrown away: an answer that comes late
must not be taken for the next command's."""

STEP_S_MAX: Final = 5.0
"""Time for one step of a port: a connection from the pool, connecting, the answer, one retry."""

CONNECTIONS_MAX: Final = 16
"""Connections of one process; further steps wait for one within their deadline."""

RETRIES: Final = 1
"""A pooled connection may have died with the store's restart; what we send may be sent twice."""


def connect(url: str, *, connections_max: int = CONNECTIONS_MAX) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://`; connects when first used.

    The caller closes it (`aclose`).

    Raises:
        SettingsError: the URL can't be read. The text holds nothing of it: it may hold a password.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections_max,
            timeout=STEP_S_MAX,
            socket_timeout=COMMAND_S_MAX,
            socket_connect_timeout=CONNECT_S_MAX,
            retry=Retry(NoBackoff(), RETRIES),
        )
        # Reads the options in the URL; a connection connects when it is first used.
        pool.make_connection()  # type: ignore[no-untyped-call]  # redis leaves it untyped
    except (ValueError, TypeError):
        # The cause is cut off: its text may quote the URL.
        raise SettingsError(
            "TRUNKLINE_REDIS_URL is no URL of Redis: redis://HOST:PORT/0, rediss://… with TLS, or"
            " unix:///PATH?db=0"
        ) from None
    return Redis.from_pool(pool)


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
        raise StoreError(f"Redis can't be reached: {type(fault).__name__}") from fault


async def check(client: Redis) -> None:
    """Whether a store will do for journals.

    Raises:
        SettingsError: it is a cluster or a replica, or evicts keys; the text says the remedy.
        StoreError: it did not answer.
    """
    async with store_errors():
        refusal = refusal_of(await client.info())
    if refusal is not None:
        raise SettingsError(f"TRUNKLINE_REDIS_URL: {refusal}")


def refusal_of(facts: Mapping[str, object]) -> str | None:
    """Why a store won't do, by its INFO, and the remedy; None if it will."""
    if facts.get("cluster_enabled") == 1:
        return (
            "the store is a cluster, and our scripts touch several keys at once: name a primary"
            " with replicas"
        )
    if facts.get("role") == "slave":
        return "the store is a replica: name its primary"
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return (
            f"the store's maxmemory-policy is {policy}, which throws live calls away when memory"
            " is short: set it to noeviction"
        )
    return None
