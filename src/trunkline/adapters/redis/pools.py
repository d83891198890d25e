"""Bounded pools of connections to Valkey or Redis, with a deadline for each step of a socket."""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, SSLConnection
from redis.asyncio.connection import AbstractConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff

from trunkline.adapters import tls
from trunkline.adapters.redis.address import TLS_FILES, Address
from trunkline.errors import SettingsError

CONNECT_S_MAX: Final = 2.0
COMMAND_S_MAX: Final = 2.0
"""Time for one command's answer. Then the connection is thrown away: an answer that comes late
must not be taken for the next command's."""

SENTINEL_S_MAX: Final = 0.75
"""Time for a sentinel to connect and, once more, to answer; then the next one is asked. A majority
of three or five may be silent within one step."""

STEP_S_MAX: Final = 5.0
"""Time for one step of a port: a connection from the pool, connecting, the answer, one retry."""

CONNECTIONS_MAX: Final = 16
"""Connections of one process; further steps wait for one within their deadline."""

RETRIES: Final = 1
"""A pooled connection may have died with the store's restart; what we send may be sent twice."""

IDLE_S_MAX: Final = 15.0
"""A connection idle for longer is asked (PING) before it is used: firewalls and managed stores
drop idle ones silently."""


class Demoted(exceptions.ConnectionError):
    """The store takes no writes any more: it has become a replica."""


class _Leaving(AbstractConnection):
    """Leaves a store that has become a replica, so that the next try looks its name up again."""

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().read_response(*args, **kwargs)
        except exceptions.ReadOnlyError:
            await self.disconnect()
            raise Demoted from None


class _Plain(_Leaving, Connection):
    """TCP."""


class _Tls(_Leaving, SSLConnection):
    """TLS over TCP."""


class _Unix(_Leaving, UnixDomainSocketConnection):
    """A Unix socket."""


class _ThroughSentinels(SentinelConnectionPool, BlockingConnectionPool):
    """Asks the sentinels for the primary whenever it connects; waits for a free connection."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


def make(address: Address, connections_max: int) -> BlockingConnectionPool:
    """A pool that connects when first used.

    Raises:
        SettingsError: an option or a file of TLS can't be used.
    """
    shared: dict[str, Any] = {
        **address.options,
        "max_connections": connections_max,
        "timeout": STEP_S_MAX,
        "socket_timeout": COMMAND_S_MAX,
        "socket_connect_timeout": CONNECT_S_MAX,
        "health_check_interval": IDLE_S_MAX,
        "retry": Retry(NoBackoff(), RETRIES),
    }
    if "path" not in address.options:
        shared["socket_keepalive"] = True
    _expect_files(address)
    with _settings_faults():
        if address.service is None:
            kind = _Tls if address.tls else _Unix if "path" in address.options else _Plain
            pool = BlockingConnectionPool(connection_class=kind, **shared)
        else:
            pool = _through_sentinels(address, shared)
        # Reads every option; a connection connects when it is first used.
        connection = pool.make_connection()  # type: ignore[no-untyped-call]  # as redis leaves it
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()
    return pool


def _through_sentinels(address: Address, shared: dict[str, Any]) -> BlockingConnectionPool:
    assert address.service is not None
    manager = Sentinel(  # type: ignore[no-untyped-call]  # as redis leaves it
        address.sentinels,
        sentinel_kwargs={
            **address.sentinel_options,
            "ssl": address.tls,
            "socket_timeout": SENTINEL_S_MAX,
            "socket_connect_timeout": SENTINEL_S_MAX,
            "socket_keepalive": True,
            # The next sentinel is the retry.
            "retry": Retry(NoBackoff(), 0),
        },
    )
    kind = SentinelManagedSSLConnection if address.tls else SentinelManagedConnection
    return _ThroughSentinels(  # type: ignore[no-untyped-call]  # as redis leaves it
        address.service, manager, connection_class=kind, **shared
    )


def _expect_files(address: Address) -> None:
    for option in TLS_FILES:
        if (named := address.options.get(option)) is not None:
            try:
                Path(str(named)).read_bytes()
            except OSError as fault:
                raise SettingsError(
                    f"TRUNKLINE_REDIS_URL: the file of {option} can't be read: {fault.strerror}"
                ) from None


@contextlib.contextmanager
def _settings_faults() -> Iterator[None]:
    """What the driver and OpenSSL say of options; their texts, which may quote, are cut off."""
    try:
        yield
    except ssl.SSLError as fault:
        raise SettingsError(
            "TRUNKLINE_REDIS_URL: what its ssl_… options name can't be used:"
            f" {tls.reason_of(fault) or 'unreadable'}"
        ) from None
    except (ValueError, TypeError, OSError, exceptions.RedisError):
        raise SettingsError("TRUNKLINE_REDIS_URL has an option whose value can't be used") from None
