"""Starts and stops the two servers of one data folder.

    with Embedded(Path("data")) as stores: ...          # or `async with`
        stores.redis_url, stores.database_url

Both servers listen on Unix sockets only. They end with their parent whatever ends it, SIGKILL
included: the kernel signals them (PR_SET_PDEATHSIG). Both hold the data folder's lock through an
inherited descriptor, so a second start waits for the last of them, and no two servers ever write
the same files.
"""

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from trunkline.adapters.embedded import privilege
from trunkline.adapters.embedded.lock import POLL_S, Steps, locking, release
from trunkline.adapters.embedded.places import User, open_way, own, run_dir_for, shelter, user_for
from trunkline.adapters.embedded.programs import postgres_folder, valkey_binary
from trunkline.errors import SettingsError, StoreError

START_S_MAX: Final = 30.0
"""Time for one server to answer, recovery of its files included; then the start fails."""

STOP_S_MAX: Final = 10.0
"""Time for one server to stop by itself; then SIGKILL."""

PROBE_S_MAX: Final = 1.0
"""Deadline of one look whether a server answers."""

PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class EmbeddedStores:
    """Where the two stores listen; URLs over Unix sockets, without secrets."""

    redis_url: str
    database_url: str


class Embedded:
    """The two servers of one data folder. Start it in the main thread.

    The kernel's signal at a parent's death is sent when the *thread* that started the child ends.

    Raises:
        SettingsError: the folder, the wheels or the system can't serve; the text says the remedy.
        Held: another process holds the folder.
        StoreError: a server did not start.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self._servers: list[_Server] = []
        self._lock: int | None = None
        self._user: User | None = None
        self._keeps_search = False
        self._run_dir = run_dir_for(self.data_dir)

    def __enter__(self) -> EmbeddedStores:
        with contextlib.ExitStack() as undo:
            undo.callback(self._stop)
            _drive(self._starting())
            undo.pop_all()
        return self.urls

    def __exit__(self, *_: object) -> None:
        self._stop()

    async def __aenter__(self) -> EmbeddedStores:
        with contextlib.ExitStack() as undo:
            undo.callback(self._stop)
            await _drive_async(self._starting())
            undo.pop_all()
        return self.urls

    async def __aexit__(self, *_: object) -> None:
        try:
            await _drive_async(self._stopping())
        finally:
            self._let_go()

    @property
    def pids(self) -> tuple[int, ...]:
        """The servers' process ids: PostgreSQL's, then Valkey's; empty when stopped."""
        return tuple(server.process.pid for server in self._servers)

    @property
    def urls(self) -> EmbeddedStores:
        """Where the folder's servers listen, whoever started them."""
        folder = quote(str(self._run_dir))
        return EmbeddedStores(
            redis_url=f"unix://{folder}/valkey.sock?db=0",
            database_url=f"postgresql://trunkline@/postgres?host={folder}",
        )

    def _stop(self) -> None:
        try:
            _drive(self._stopping())
        finally:
            self._let_go()

    # The steps, each written once for both ways of waiting.

    def _starting(self) -> Steps:
        assert threading.current_thread() is threading.main_thread()
        assert self._lock is None, "an Embedded is started once at a time"
        if sys.platform != "linux":
            raise SettingsError(
                "embedded stores run on Linux only: set TRUNKLINE_REDIS_URL and"
                " TRUNKLINE_DATABASE_URL"
            )
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            postgres, valkey = postgres_folder(self.data_dir / "postgres"), valkey_binary()
            self._user = user_for(self.data_dir)
            if self._user is not None:
                self._keeps_search = open_way(
                    self._user,
                    self.data_dir,
                    postgres,
                    valkey.parent,
                    can_pass=privilege.can_share_search(),
                )
            self._lock = yield from locking(self.data_dir)
            for folder in ("valkey", "logs"):
                own(self.data_dir / folder, self._user)
            if self._run_dir.parent != self.data_dir:
                shelter(self._run_dir.parent, closed=self._keeps_search)
            own(self._run_dir, self._user)
            # The lock is ours, so nothing listens here: what is left is from a kill.
            for leftover in self._run_dir.iterdir():
                leftover.unlink()
        except OSError as fault:
            raise SettingsError(
                f"the data folder {self.data_dir} can't be used: {fault.strerror}"
                f" ({fault.filename}); set TRUNKLINE_DATA_DIR to a folder that you own"
            ) from fault
        yield from self._start_postgres(postgres)
        yield from self._start_valkey(valkey)

    def _start_postgres(self, binaries: Path) -> Steps:
        data = self.data_dir / "postgres"
        if not data.exists():
            # Made beside and renamed when whole: a killed initdb leaves no half cluster.
            fresh = self.data_dir / "postgres.new"
            shutil.rmtree(fresh, ignore_errors=True)
            own(fresh, self._user)
            initdb = self._spawn(
                "initdb",
                signal.SIGTERM,
                [
                    binaries / "initdb",
                    *("--pgdata", fresh, "--username", "trunkline", "--auth", "trust"),
                    *("--encoding", "UTF8", "--locale", "C", "--no-instructions"),
                ],
            )
            yield from initdb.until(lambda: initdb.process.poll() == 0)
            self._servers.remove(initdb)
            fresh.rename(data)
        forget_postmaster(data / "postmaster.pid")
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self._run_dir,
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # Statements and the details of rows may hold numbers and words spoken.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "log_checkpoints": "off",
        }
        options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        server = self._spawn(
            "postgres", signal.SIGINT, [binaries / "postgres", "-D", data, *options]
        )
        yield from server.until(lambda: postgres_answers(binaries, self._run_dir))

    def _start_valkey(self, binary: Path) -> Steps:
        at = self._run_dir / "valkey.sock"
        server = self._spawn(
            "valkey",
            signal.SIGTERM,
            [
                binary,
                *("--port", "0", "--unixsocket", at, "--unixsocketperm", "700"),
                *("--dir", self.data_dir / "valkey", "--appendonly", "yes"),
                *("--appendfsync", "everysec", "--maxmemory-policy", "noeviction"),
                *("--save", "", "--daemonize", "no", "--always-show-logo", "no"),
            ],
        )
        yield from server.until(lambda: valkey_answers(at))

    def _stopping(self) -> Steps:
        # PostgreSQL first: the journal is what can fill the call log again, not the reverse.
        for server in self._servers:
            yield from server.stopping()

    def _let_go(self) -> None:
        """End whatever is left, remove the sockets and release the folder; never waits long."""
        for server in self._servers:
            server.kill()
        self._servers.clear()
        if self._lock is not None:
            shutil.rmtree(self._run_dir, ignore_errors=True)
            if self._run_dir.parent != self.data_dir:
                with contextlib.suppress(OSError):
                    self._run_dir.parent.rmdir()
            release(self._lock)
            self._lock = None

    def _spawn(self, name: str, end: signal.Signals, command: Sequence[str | Path]) -> "_Server":
        """Start a program that gets `end` when we die, and holds the lock as long as it lives."""
        assert self._lock is not None
        parent = os.getpid()
        libc = ctypes.CDLL(None)
        user = self._user
        keeps_search = self._keeps_search

        def tie_to_parent() -> None:
            if user is not None and keeps_search:
                privilege.become(user)
            # After the change of user, which would undo it.
            libc.prctl(PR_SET_PDEATHSIG, int(end))
            if os.getppid() != parent:
                os._exit(1)

        dropped = user if not keeps_search else None
        path = self.data_dir / "logs" / f"{name}.log"
        # One run's log: it can't grow for ever.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our binaries, our arguments
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"},
                umask=0o077,
                start_new_session=True,  # Ctrl-C is for us: the servers end after our last write.
                pass_fds=[self._lock],
                preexec_fn=tie_to_parent,  # noqa: PLW1509 - system calls only
                user=dropped.uid if dropped else None,
                group=dropped.gid if dropped else None,
                extra_groups=[] if dropped else None,
            )
        server = _Server(name, process, end, path)
        self._servers.append(server)
        return server


@dataclass(frozen=True, slots=True)
class _Server:
    """One program of ours and the signal that ends it in order."""

    name: str
    process: subprocess.Popen[bytes]
    end: signal.Signals
    log: Path

    def until(self, ready: Callable[[], bool]) -> Steps:
        deadline = time.monotonic() + START_S_MAX
        while not ready():
            if self.process.poll() is not None and not ready():
                raise StoreError(f"{self.name} did not start: {self._last_words()}")
            if time.monotonic() > deadline:
                raise StoreError(f"{self.name} did not answer within {START_S_MAX:.0f} s")
            yield POLL_S

    def stopping(self) -> Steps:
        deadline = time.monotonic() + STOP_S_MAX
        if self.process.poll() is None:
            self.process.send_signal(self.end)
        while self.process.poll() is None and time.monotonic() < deadline:
            yield POLL_S

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S_MAX)

    def _last_words(self) -> str:
        """The line of its log that says why, else its last line."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        faults = [
            line for line in lines if re.search(r"fatal|error|can't|could not", line, re.IGNORECASE)
        ]
        return (faults or lines or [f"exit code {self.process.returncode}"])[-1].strip()


def forget_postmaster(pid_file: Path) -> None:
    """Remove the pid file of a PostgreSQL that was killed.

    Its number may belong to anybody by now, and a new PostgreSQL would then refuse to start. If it
    is a PostgreSQL after all, started by hand, the file stays, and the new one refuses rightly.
    """
    with contextlib.suppress(FileNotFoundError):
        pid = pid_file.read_text().partition("\n")[0].strip()
        named = Path("/proc", pid, "comm")
        if not (named.exists() and named.read_text().strip() == "postgres"):
            pid_file.unlink()


def postgres_answers(binaries: Path, run_dir: Path) -> bool:
    """Whether PostgreSQL takes connections."""
    asked = [str(binaries / "pg_isready"), "-q", "-t", "1", "-h", str(run_dir)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        return not subprocess.run(asked, env={}, check=False, timeout=PROBE_S_MAX * 2).returncode  # noqa: S603
    return False


def valkey_answers(at: Path) -> bool:
    """Whether Valkey has loaded its files and serves."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S_MAX)
        probe.connect(str(at))
        probe.sendall(b"PING\r\n")
        return probe.recv(64).startswith(b"+PONG")
    return False


def _drive(steps: Steps) -> None:
    for pause_s in steps:
        time.sleep(pause_s)


async def _drive_async(steps: Steps) -> None:
    for pause_s in steps:
        await asyncio.sleep(pause_s)
