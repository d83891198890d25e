"""Redis and PostgreSQL: reachable, and fit for what is asked of them."""

import time
from collections.abc import Mapping

from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.redis import connect as redis
from trunkline.check import clocks
from trunkline.check.ground import Ground
from trunkline.check.items import Item, Status, fail, of_lines, ok, warn
from trunkline.errors import SettingsError, StoreError

EMBEDDED = "not set: `trunkline up` starts one under TRUNKLINE_DATA_DIR; `pod` wants it set"


async def check_redis(ground: Ground) -> list[Item]:
    """The journal's store."""
    if ground.settings is None:
        return []
    if ground.settings.redis_url is None:
        return [ok("redis", f"TRUNKLINE_REDIS_URL is {EMBEDDED}")]
    try:
        client = redis.connect(ground.settings.redis_url.get_secret_value())
    except SettingsError as error:
        return of_lines(Status.FAIL, "redis", str(error))
    try:
        await redis.check(client)
        async with redis.store_errors():
            facts: Mapping[str, object] = await client.info()
            seconds, micros = await client.time()
    except SettingsError as error:
        # Its remedy stands behind a colon: it is one sentence for a pod's start.
        return [fail("redis", str(error), "mend the store, or name another")]
    except StoreError as error:
        remedy = "is it running, and is TRUNKLINE_REDIS_URL its address and password?"
        return [fail("redis", str(error), remedy)]
    finally:
        await client.aclose()
    skew = clocks.of_skew("Redis", seconds + micros / 1e6, time.time())
    return [*of_info(facts), skew]


def of_info(facts: Mapping[str, object]) -> list[Item]:
    """What a store that will do says of itself."""
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version", facts.get("redis_version", "of unknown version"))
    items = [ok("redis", f"{name} {version}, a primary that evicts nothing")]
    if facts.get("aof_enabled") == 0:
        why = "no append-only file: a restart of the store forgets the calls that live"
        items.append(warn("redis", why, "set appendonly yes"))
    most, used = facts.get("maxmemory"), facts.get("used_memory")
    if isinstance(most, int) and isinstance(used, int) and most and used > 0.8 * most:
        why = f"{used * 100 // most} % of its maxmemory is used; full, it takes no more facts"
        items.append(warn("redis", why, "give it more memory"))
    return items


async def check_postgres(ground: Ground) -> list[Item]:
    """The call log's store."""
    if ground.settings is None:
        return []
    if ground.settings.database_url is None:
        return [ok("postgres", f"TRUNKLINE_DATABASE_URL is {EMBEDDED}")]
    try:
        pool = await postgres.connect(
            ground.settings.database_url.get_secret_value(), connections_max=1
        )
    except SettingsError as error:
        return of_lines(Status.FAIL, "postgres", str(error))
    except StoreError as error:
        remedy = "is it running, and is TRUNKLINE_DATABASE_URL its address, user and password?"
        return [fail("postgres", str(error), remedy)]
    try:
        async with postgres.transaction(pool) as connection:
            version = await connection.fetchval("SHOW server_version")
            reads_only = await connection.fetchval("SHOW transaction_read_only") == "on"
        if reads_only:
            why = "the database takes no writes: it is a standby"
            return [fail("postgres", why, "name its primary in TRUNKLINE_DATABASE_URL")]
        await postgres.check_schema(pool)
    except SettingsError as error:
        return [fail("postgres", str(error).partition(": ")[0], "run `trunkline migrate`")]
    except StoreError as error:
        return [fail("postgres", str(error), "mend the store, or name another")]
    finally:
        pool.terminate()
    return [ok("postgres", f"PostgreSQL {version}, its schema up to date")]
