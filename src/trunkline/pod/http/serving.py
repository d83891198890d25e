"""Uvicorn servers inside a loop that is not theirs: sockets bound first, signals left alone."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Final

import uvicorn
from fastapi import FastAPI

from trunkline.errors import SettingsError

BACKLOG: Final = 1024
"""Connections that wait to be accepted; the kernel refuses more."""

SHUTDOWN_S_MAX: Final = 3
"""So long open requests may take when the server goes."""


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Bind a listening socket; `SettingsError` names the setting if the port can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise SettingsError(
            f"{setting}: cannot listen on {host}:{port} ({error.strerror or error}); "
            f"set {setting} to a free port"
        ) from error
    bound.setblocking(False)
    return bound


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The process's signals are its compose's business."""
        yield


class HttpServer:
    """One application on one bound socket."""

    def __init__(
        self, app: FastAPI, bound: socket.socket, *, ws: type[asyncio.Protocol] | None = None
    ) -> None:
        self.port: int = bound.getsockname()[1]
        self._socket = bound
        config = uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws=ws or "none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=SHUTDOWN_S_MAX,
            limit_concurrency=None,
        )
        self._server = _Server(config)

    async def run(self, on_started: Callable[[], None] | None = None) -> None:
        """Serve until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._server.serve(sockets=[self._socket]), name="uvicorn")
            if on_started is not None:
                on_started()

    def stop(self) -> None:
        """Stop accepting; `run` returns when open requests are done or `SHUTDOWN_S_MAX` is over."""
        self._server.should_exit = True
