"""Real servers that a test kills and starts again: Valkey in one folder, PostgreSQL in another.

Each folder starts both, and one of them is used: so each can go while the other stays.
"""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from trunkline.adapters.embedded.stores import Embedded
from trunkline.adapters.postgres.migrate import migrate


class Server:
    """One folder's servers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._embedded = Embedded(folder)
        self.is_up = False

    @property
    def redis_url(self) -> str:
        """Where its Valkey listens, or did."""
        return self._embedded.urls.redis_url

    @property
    def database_url(self) -> str:
        """Where its PostgreSQL listens, or did."""
        return self._embedded.urls.database_url

    async def start(self) -> None:
        """At the same addresses as before."""
        await self._embedded.__aenter__()
        self.is_up = True

    async def kill(self) -> None:
        """SIGKILL for both."""
        for pid in self._embedded.pids:
            os.kill(pid, signal.SIGKILL)
        await self.stop()

    async def stop(self) -> None:
        """In order."""
        self.is_up = False
        await self._embedded.__aexit__(None, None, None)

    def wipe_journals(self) -> None:
        """What Valkey wrote is gone."""
        assert not self.is_up
        shutil.rmtree(self._folder / "valkey")


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[tuple[Server, Server]]:
    """Valkey's and PostgreSQL's; migrated."""
    valkey, postgres = Server(folder / "one"), Server(folder / "two")
    async with AsyncExitStack() as undo:
        for server in (valkey, postgres):
            await server.start()
            undo.push_async_callback(server.stop)
        await migrate(postgres.database_url)
        yield valkey, postgres
        for server in (valkey, postgres):
            assert server.is_up, "a test leaves them as it found them"
