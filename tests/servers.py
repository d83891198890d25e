"""Real servers as people have them: with TLS, passwords, replicas, sentinels, PgBouncer.

Valkey and PostgreSQL come from wheels. What no wheel has is a Debian package's, and a test that
needs it is skipped with that package's name where it is not installed.
"""

import asyncio
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import redis
import trustme

from trunkline.adapters.embedded import privilege
from trunkline.adapters.embedded.places import NOBODY, User

START_S_MAX: Final = 20.0
PR_SET_PDEATHSIG: Final = 1
HOST: Final = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def debian(program: str, package: str) -> Path:
    """A program of a Debian package; without it the test is skipped."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if found is None:
        pytest.skip(f"needs the Debian package {package}: apt-get install {package}")
    return Path(found)


def until(ready: Callable[[], bool], what: str) -> None:
    """Ask again and again whether something that nobody announces has happened."""
    late = time.monotonic() + START_S_MAX
    while not ready():
        assert time.monotonic() < late, f"{what}: not within {START_S_MAX:.0f} s"
        time.sleep(0.02)


def who_serves() -> User | None:
    """Servers refuse to be root's: `nobody` is who they run as then."""
    if os.geteuid() != 0:
        return None
    found = pwd.getpwnam(NOBODY)
    return User(found.pw_uid, found.pw_gid, NOBODY)


def give(*paths: Path) -> None:
    """Make files the servers' own."""
    if (user := who_serves()) is not None:
        for path in paths:
            os.chown(path, user.uid, user.gid)


def begin(folder: Path, name: str, command: Sequence[str | Path | int]) -> subprocess.Popen[bytes]:
    """Start a program that ends with us, whatever ends us."""
    user, libc = who_serves(), ctypes.CDLL(None)

    def settle_in() -> None:
        if user is not None:
            privilege.become(user)
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))

    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"},
            preexec_fn=settle_in,  # noqa: PLW1509 - system calls only
        )


@contextlib.contextmanager
def running(
    folder: Path,
    name: str,
    command: Sequence[str | Path | int],
    answers: Callable[[], bool],
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that answers, until the block's end."""
    process = begin(folder, name, command)
    try:

        def ready() -> bool:
            last = (folder / f"{name}.log").read_text(errors="replace")[-2000:]
            assert process.poll() is None, f"{name} ended: {last}"
            return answers()

        until(ready, f"{name} answers")
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # PostgreSQL's fast end; the others' too.
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


# Certificates.


@dataclass(frozen=True, slots=True)
class Certificates:
    """Made for one test session: an authority, what it has signed, and a stranger."""

    ca: Path
    server: Path
    """Key and certificate, for 127.0.0.1."""
    elsewhere: Path
    """As `server`, for another host's name."""
    client: Path
    """Key and certificate of `trunkline`, a user."""
    strange_ca: Path
    """An authority that has signed nothing of these."""


def make_certificates(folder: Path) -> Certificates:
    ca, stranger = trustme.CA(), trustme.CA()
    made = Certificates(
        *(folder / f"{name}.pem" for name in ("ca", "server", "elsewhere", "client", "strange"))
    )
    ca.cert_pem.write_to_path(made.ca)
    stranger.cert_pem.write_to_path(made.strange_ca)
    for path, issued in (
        (made.server, ca.issue_cert(HOST)),
        (made.elsewhere, ca.issue_cert("elsewhere.example")),
        (made.client, ca.issue_cert("trunkline@example.com", common_name="trunkline")),
    ):
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        path.chmod(0o600)
    give(made.server, made.elsewhere)
    return made


def tls_of_a_server(certificates: Certificates, *, asks_for_client: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    if asks_for_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.ca)
    return context


@contextlib.contextmanager
def tls_in_front_of(unix_socket: Path, context: ssl.SSLContext) -> Iterator[int]:
    """The port of a relay that speaks TLS for a server that can't: stunnel's part.

    Our side of the handshake is the same; the store's own TLS is tested where it has any.
    """
    port: list[int] = []
    begun = threading.Event()
    end = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store_reader, store_writer = await asyncio.open_unix_connection(unix_socket)
        await asyncio.gather(carry(reader, store_writer), carry(store_reader, writer))

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        server = await asyncio.start_server(relay, HOST, 0, ssl=context)
        port.append(server.sockets[0].getsockname()[1])
        begun.set()
        await end.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert begun.wait(START_S_MAX)
        yield port[0]
    finally:
        loops[0].call_soon_threadsafe(end.set)
        thread.join(START_S_MAX)


# Redis.


def store_answers(client: redis.Redis) -> bool:
    with contextlib.suppress(redis.exceptions.RedisError):
        return bool(client.ping())
    return False


@contextlib.contextmanager
def asking(port: int, password: str, certificates: Certificates | None) -> Iterator[redis.Redis]:
    """A plain client of one server."""
    with redis.Redis(
        host=HOST,
        port=port,
        password=password,
        ssl=certificates is not None,
        ssl_ca_certs=str(certificates.ca) if certificates else None,
        ssl_certfile=str(certificates.client) if certificates else None,
        ssl_keyfile=str(certificates.client) if certificates else None,
        socket_timeout=1,
    ) as client:
        yield client


def redis_command(
    program: Path, port: int, certificates: Certificates | None
) -> list[str | Path | int]:
    """How a server is started on a port, with TLS if it gets certificates."""
    if certificates is None:
        return [program, "--port", port, "--bind", HOST, "--save", "", "--appendonly", "no"]
    return [
        *(program, "--port", 0, "--tls-port", port, "--bind", HOST),
        *("--tls-cert-file", certificates.server, "--tls-key-file", certificates.server),
        *("--tls-ca-cert-file", certificates.ca, "--tls-replication", "yes"),
        *("--save", "", "--appendonly", "no"),
    ]


# PostgreSQL.


def database_answers(dsn: str) -> bool:
    async def ask() -> bool:
        try:
            connection = await asyncpg.connect(dsn, timeout=2, statement_cache_size=0)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close(timeout=2)
        return True

    return asyncio.run(ask())
