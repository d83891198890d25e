"""Traefik in front of the pods of one machine: its arguments, its routes, whether it follows them.

Who starts it and starts it again is `kept`; what the routes are is `routes`. All that it needs of
files lies in one folder of ours.
"""

import os
import ssl
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiohttp

from trunkline.adapters.embedded.kept import Program
from trunkline.adapters.embedded.programs import traefik_binary
from trunkline.adapters.embedded.routes import (
    PRIVATE,
    PUBLIC,
    Backend,
    Certificate,
    routes,
    version_path,
)
from trunkline.errors import SettingsError

NAME: Final = "the ingress"

RELOAD_MS: Final = 100
"""Changes of the routes within so short a time are one change; Traefik's own is 2 s."""

READ_S_MAX: Final = 15
"""A request must have come whole by then. It ends with the request's head where that asks for a
WebSocket: a stream has no limit of ours, and none of Traefik's."""

IDLE_S_MAX: Final = 75
"""A client's connection without a request is kept so long."""

HEAD_BYTES_MAX: Final = 16 * 1024
"""As pods have it."""

STREAMS_S_MAX: Final = 1
"""So long streams may go on when the ingress is told to end: by then their pods have gone."""

PROBE_S_MAX: Final = 1.0
"""Deadline of one look whether routes are followed."""


class Ingress:
    """Traefik's side of one machine."""

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        private_port: int,
        shown: Certificate | None = None,
    ) -> None:
        """`folder` is made here; `private_port` is on loopback. Without a certificate: HTTP.

        Raises:
            SettingsError: there is no Traefik, or the folder can't be used.
        """
        self._shown = shown
        self._binary = traefik_binary()
        self._folder = folder.absolute()
        self._host, self._port, self._private_port = host, port, private_port
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._folder.lstat()
        except OSError as fault:
            raise SettingsError(
                f"the data folder {folder.parent} can't be used: {fault.strerror}"
                f" ({fault.filename}); set TRUNKLINE_DATA_DIR to a folder that you own"
            ) from fault
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise SettingsError(
                f"{self._folder} is no folder of user {os.geteuid()}: start as the user who made"
                " it, or set TRUNKLINE_DATA_DIR to another folder"
            )

    @property
    def file(self) -> Path:
        """Where Traefik reads its routes, again whenever they change."""
        return self._folder / "routes.yml"

    @property
    def program(self) -> Program:
        """Traefik, as it is to be run."""
        return Program(
            NAME,
            [self._binary, *self.arguments()],
            {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            self._folder / "traefik.log",
        )

    def arguments(self) -> list[str]:
        """What Traefik is told once; its paths hold tokens, so no request is logged."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        public, private = f"--entrypoints.{PUBLIC}", f"--entrypoints.{PRIVATE}"
        responding = f"{public}.transport.respondingtimeouts"
        tls = [f"{public}.http.tls=true"] if self._shown is not None else []
        return [
            *tls,
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=ERROR",
            "--log.nocolor=true",
            f"{public}.address={host}:{self._port}",
            f"{public}.http.maxheaderbytes={HEAD_BYTES_MAX}",
            f"{public}.http.aliasheadersstrategy=delete",
            f"{responding}.readtimeout={READ_S_MAX}s",
            f"{responding}.writetimeout=0s",
            f"{responding}.idletimeout={IDLE_S_MAX}s",
            f"{public}.transport.lifecycle.gracetimeout={STREAMS_S_MAX}s",
            f"{private}.address=127.0.0.1:{self._private_port}",
            f"{private}.http.aliasheadersstrategy=delete",
            "--ping=true",
            "--ping.manualrouting=true",
            f"--providers.file.filename={self.file}",
            "--providers.file.watch=true",
            f"--providers.providersthrottleduration={RELOAD_MS}ms",
        ]

    def write(self, pods: Sequence[Backend], version: str) -> None:
        """The routes from now on, and the certificate as its files are now.

        A Traefik that runs follows them soon (`follows`).
        """
        fresh = self.file.with_suffix(".new")
        fresh.write_text(routes(pods, version, self._shown))
        fresh.replace(self.file)

    async def follows(self, version: str, http: aiohttp.ClientSession) -> bool:
        """Whether Traefik runs and follows the routes of this version."""
        url = f"http://127.0.0.1:{self._private_port}{version_path(version)}"
        try:
            timeout = aiohttp.ClientTimeout(total=PROBE_S_MAX)
            async with http.get(url, timeout=timeout) as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            return False


def check_certificate(shown: Certificate) -> None:
    """Whether it can be shown.

    Raises:
        SettingsError: its files can't be read, or do not belong together.
    """
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.chain, shown.key, password=_none)
    except OSError as fault:  # An SSLError is one.
        why = (
            fault.strerror if not isinstance(fault, ssl.SSLError) else "no certificate with its key"
        )
        raise SettingsError(
            f"TRUNKLINE_TLS_CERT, TRUNKLINE_TLS_KEY: {why} ({shown.chain}, {shown.key}); expected"
            " the PEM files of a chain and of its key, without a passphrase, that this user can"
            " read"
        ) from fault


def _none() -> str:
    """The passphrase of a key that shall have none: OpenSSL would ask the terminal."""
    return ""
