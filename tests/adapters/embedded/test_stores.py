import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import psutil
import pytest
import redis

from folders import open_folder
from trunkline.adapters.embedded.stores import Embedded, EmbeddedStores, forget_postmaster
from trunkline.errors import SettingsError, StoreError

GONE_S_MAX: Final = 20.0
NOBODY: Final = 65534

PARENT: Final = """
import os, sys, pathlib
from trunkline.adapters.embedded.stores import Embedded
import encodings.idna
if len(sys.argv) > 2:
    # Everything is imported: the interpreter itself may lie where this user can't go.
    os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
embedded = Embedded(pathlib.Path(sys.argv[1]))
with embedded as stores:
    print(*embedded.pids, stores.redis_url, stores.database_url, flush=True)
    sys.stdin.read()
print("stopped", flush=True)
"""
"""Starts the stores, says so, and stops them when its input ends."""


def is_open_to_all(place: Path) -> bool:
    """Whether a normal user can get there."""
    return all(folder.stat().st_mode & 0o001 for folder in (place, *place.resolve().parents))


in_an_open_checkout = pytest.mark.skipif(
    not is_open_to_all(Path(__file__).parent) or not is_open_to_all(Path(sys.prefix)),
    reason="this checkout lies in a folder that is closed to normal users",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of nobody's yet."""
    with open_folder() as made:
        yield made


@pytest.fixture(scope="module")
def made_once() -> Iterator[Path]:
    """A data folder that was started and stopped, to copy."""
    with open_folder() as made:
        with Embedded(made):
            pass
        yield made


@pytest.fixture
def used(made_once: Path, folder: Path) -> Path:
    """A data folder that was used before: it starts in a tenth of the time."""
    subprocess.run(["cp", "-a", f"{made_once}/.", folder], check=True)
    folder.chmod(0o755)
    return folder


@contextlib.contextmanager
def parent(data_dir: Path, uid: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the stores; ended at the end, whatever the test did."""
    command = [sys.executable, "-W", "error", "-c", PARENT, str(data_dir)]
    with subprocess.Popen(
        [*command, str(uid)] if uid else command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def started(process: subprocess.Popen[str]) -> tuple[list[int], EmbeddedStores]:
    assert process.stdout is not None
    assert process.stderr is not None
    words = process.stdout.readline().split()
    assert words, process.stderr.read()
    return [int(pid) for pid in words[:2]], EmbeddedStores(*words[2:])


def processes_in(folder: Path) -> list[psutil.Process]:
    """Every process of servers that has this folder in its command."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(folder) in part for part in process.cmdline()) and process.name() in {
                "postgres",
                "valkey-server",
                "initdb",
            }:
                found.append(process)
    return found


def running(pid: int) -> bool:
    """Whether a process runs; an orphan's remains wait for the system's first process."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + GONE_S_MAX
    while any(running(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {pids}"
        time.sleep(0.01)


def remember(stores: EmbeddedStores, word: str) -> None:
    """Leave a word in both stores."""

    async def in_postgres() -> None:
        connection = await asyncpg.connect(stores.database_url)
        await connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        await connection.execute("INSERT INTO words VALUES ($1)", word)
        await connection.close()

    asyncio.run(in_postgres())
    with redis.Redis.from_url(stores.redis_url) as client:
        client.rpush("words", word)


def remembered(stores: EmbeddedStores) -> tuple[list[str], list[str]]:
    """The words in both stores."""

    async def in_postgres() -> list[str]:
        connection = await asyncpg.connect(stores.database_url)
        found = await connection.fetch("SELECT word FROM words")
        await connection.close()
        return [record["word"] for record in found]

    with redis.Redis.from_url(stores.redis_url, decode_responses=True) as client:
        found = client.lrange("words", 0, -1)
        assert isinstance(found, list)
        return asyncio.run(in_postgres()), [str(word) for word in found]


@pytest.mark.parametrize(
    "name", ["plain", "with a space, 'quotes' and %", "ünïcode", "long" * 40], ids=lambda n: n[:8]
)
def test_what_was_written_is_there_after_a_restart(folder: Path, name: str) -> None:
    """From nothing, then again on the same folder, whatever its path looks like."""
    embedded = Embedded(folder / name / "data")
    for word in ("first", "second"):
        with embedded as stores:
            remember(stores, word)
            assert remembered(stores) == (["first", "second"][: 1 + (word == "second")],) * 2
        assert embedded.pids == ()
    assert processes_in(folder) == []
    assert list(folder.rglob("*.sock")) == []


@pytest.mark.anyio
async def test_it_serves_an_event_loop_too(used: Path) -> None:
    """`async with` waits without holding the loop, and leaves nothing."""
    embedded = Embedded(used)
    async with embedded as stores:
        connection = await asyncpg.connect(stores.database_url)
        assert await connection.fetchval("SHOW listen_addresses") == ""
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
        await connection.close()
        pids = embedded.pids
        assert not [c for pid in pids for c in psutil.Process(pid).net_connections("inet")]
    assert not any(running(pid) for pid in pids)


def test_valkey_keeps_what_it_is_given(used: Path) -> None:
    """Append-only file every second, nothing evicted, no port."""
    with (
        Embedded(used) as stores,
        redis.Redis.from_url(stores.redis_url, decode_responses=True) as client,
    ):
        wanted = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "port": "0",
        }
        assert client.config_get(*wanted) == wanted


def test_nothing_outlives_a_killed_parent(used: Path) -> None:
    """SIGKILL of the process that started them: both stop by themselves, and lose nothing."""
    with parent(used) as process:
        pids, stores = started(process)
        remember(stores, "kept")
        # Another life holds connections while the parent dies.
        client = redis.Redis.from_url(stores.redis_url)
        client.ping()
        process.kill()
        process.wait()
        wait_until_gone(pids)
        client.close()
    assert processes_in(used) == []
    with Embedded(used) as again:
        assert remembered(again) == (["kept"], ["kept"])


def test_a_start_right_after_a_kill_waits_for_the_last_server(used: Path) -> None:
    """The old servers may still be stopping: the new ones come after, not beside them."""
    for word in ("first", "second"):
        with parent(used) as process:
            pids, stores = started(process)
            remember(stores, word)
            process.kill()
            process.wait()
            # No wait here: the next start meets them.
    with Embedded(used) as stores:
        assert not any(running(pid) for pid in pids)
        assert remembered(stores) == (["first", "second"],) * 2


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_server_leaves_a_folder_that_starts(used: Path, victim: int) -> None:
    """SIGKILL of a server itself, PostgreSQL's or Valkey's: a stale pid file stops nobody."""
    embedded = Embedded(used)
    with embedded as stores:
        remember(stores, "kept")
        with redis.Redis.from_url(stores.redis_url) as client:
            client.execute_command("WAITAOF", 1, 0, 5000)
        os.kill(embedded.pids[victim], signal.SIGKILL)
    with Embedded(used) as again:
        assert remembered(again) == (["kept"], ["kept"])


def test_a_dead_servers_pid_may_be_anybodys(used: Path) -> None:
    """After a reboot the old number may be a stranger's: that stops no start."""
    me = used.stat().st_uid or NOBODY
    with subprocess.Popen(["sleep", "60"], user=me if os.geteuid() == 0 else None) as stranger:
        (used / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{used}/postgres\n")
        with Embedded(used):
            pass
        stranger.kill()


def test_a_postgres_started_by_hand_is_left_alone(tmp_path: Path) -> None:
    """Its pid file stays; a killed one's goes, and one that is not there is no mistake."""
    pid_file = tmp_path / "postmaster.pid"
    forget_postmaster(pid_file)
    postgres = tmp_path / "postgres"
    postgres.symlink_to(shutil.which("sleep") or "/bin/sleep")
    with subprocess.Popen([str(postgres), "60"]) as by_hand:
        pid_file.write_text(f"{by_hand.pid}\n")
        deadline = time.monotonic() + GONE_S_MAX
        # The kernel names a process a moment after its parent knows that it runs.
        while Path("/proc", str(by_hand.pid), "comm").read_text().strip() != "postgres":
            assert time.monotonic() < deadline
        forget_postmaster(pid_file)
        assert pid_file.exists()
        by_hand.kill()
    forget_postmaster(pid_file)
    assert not pid_file.exists()


def test_ctrl_c_is_for_the_parent(used: Path) -> None:
    """The servers are no part of its process group: it stops them when it has flushed."""
    embedded = Embedded(used)
    with embedded:
        assert all(os.getpgid(pid) != os.getpgid(0) for pid in embedded.pids)


def test_a_second_start_is_told_who_holds_the_folder(used: Path) -> None:
    """One line with pid and command, at once; the first goes on unharmed."""
    with parent(used) as process:
        _, stores = started(process)
        remember(stores, "first")
        begun = time.monotonic()
        with (
            pytest.raises(StoreError, match=rf"held by pid {process.pid} \(.*python.*\)") as caught,
            Embedded(used),
        ):
            pass
        assert "\n" not in str(caught.value)
        assert time.monotonic() - begun < 2
        assert remembered(stores) == (["first"], ["first"])
        _, complaint = process.communicate("")
        assert (process.returncode, complaint) == (0, "")
    assert processes_in(used) == []


def test_of_many_that_start_at_once_one_holds_the_folder(used: Path) -> None:
    """The others say so and leave nothing."""
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(parent(used)) for _ in range(4)]
        told = [process.stdout.readline() if process.stdout else "" for process in crowd]
        assert len([line for line in told if line]) == 1
        for process, line in zip(crowd, told, strict=True):
            if not line:
                _, complaint = process.communicate()
                assert "is held by pid" in complaint.splitlines()[-1]
        holder = crowd[next(at for at, line in enumerate(told) if line)]
        assert "stopped" in holder.communicate("")[0]


def test_a_half_made_cluster_is_made_again(folder: Path) -> None:
    """A kill during the very first start leaves no folder that never starts."""
    half = folder / "postgres.new"
    half.mkdir(mode=0o700)
    (half / "PG_VERSION").write_text("18\n")
    with Embedded(folder) as stores:
        remember(stores, "whole")
    assert not half.exists()


def test_a_server_that_can_not_start_says_why_and_leaves_nothing(used: Path) -> None:
    """A broken cluster: one line with the server's own words; nothing runs, nothing is locked."""
    control = used / "postgres" / "global" / "pg_control"
    control.rename(used / "aside")
    with pytest.raises(StoreError, match=r"postgres did not start: .*pg_control") as caught:
        Embedded(used).__enter__()
    assert "\n" not in str(caught.value)
    assert processes_in(used) == []
    (used / "aside").rename(control)
    with Embedded(used):
        pass


def test_an_interrupted_start_leaves_nothing(folder: Path) -> None:
    """Ctrl-C in the middle of the first start."""
    with parent(folder) as process:
        deadline = time.monotonic() + GONE_S_MAX
        while not processes_in(folder):
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        process.wait()
        wait_until_gone([p.pid for p in processes_in(folder)])
    with Embedded(folder):
        pass


def test_a_folder_that_is_none_is_named(folder: Path) -> None:
    """A file where the data folder should be: one line with the setting."""
    (folder / "file").write_text("")
    with pytest.raises(SettingsError, match="TRUNKLINE_DATA_DIR") as caught:
        Embedded(folder / "file").__enter__()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
class TestAsRoot:
    def test_the_servers_run_as_an_unprivileged_user(self, folder: Path) -> None:
        """PostgreSQL refuses root; neither server needs what root may do.

        A data folder that is closed, as `mkdtemp` makes it, is opened to their user.
        """
        folder.chmod(0o700)
        embedded = Embedded(folder)
        with embedded as stores:
            remember(stores, "word")
            users = {psutil.Process(pid).uids().effective for pid in embedded.pids}
        assert users == {NOBODY}

    @in_an_open_checkout
    def test_a_normal_user_needs_no_root(self, folder: Path) -> None:
        """The servers run as the user and die with a killed parent too; root may start them later.

        As whom the folder belongs to, so that the user can again.
        """
        os.chown(folder, NOBODY, NOBODY)
        with parent(folder, uid=NOBODY) as process:
            pids, stores = started(process)
            assert {psutil.Process(pid).uids().effective for pid in pids} == {NOBODY}
            remember(stores, "kept")
            process.kill()
            process.wait()
            wait_until_gone(pids)
        assert processes_in(folder) == []
        embedded = Embedded(folder)
        with embedded as stores:
            assert remembered(stores) == (["kept"], ["kept"])
            assert psutil.Process(embedded.pids[0]).uids().effective == NOBODY
        with parent(folder, uid=NOBODY) as process:
            assert len(started(process)[0]) == 2

    @in_an_open_checkout
    def test_a_folder_of_roots_is_refused_to_a_normal_user(self, used: Path) -> None:
        """One line with the remedy."""
        with parent(used, uid=NOBODY) as process:
            _, complaint = process.communicate()
        assert "TRUNKLINE_DATA_DIR" in complaint.splitlines()[-1]

    def test_an_owner_who_is_no_user_is_refused(self, used: Path) -> None:
        """PostgreSQL looks its user up."""
        os.chown(used, 12345, 12345)
        with pytest.raises(SettingsError, match="uid 12345 is no user here"):
            Embedded(used).__enter__()

    def test_a_closed_folder_above_is_passed_and_stays_closed(self, folder: Path) -> None:
        """As in a checkout under /root, or one that `mktemp -d` made."""
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        embedded = Embedded(closed / "data")
        with embedded as stores:
            remember(stores, "passed")
            assert remembered(stores) == (["passed"], ["passed"])
            owners = {psutil.Process(pid).uids().effective for pid in embedded.pids}
            assert owners == {NOBODY}
        assert closed.stat().st_mode & 0o777 == 0o700

    def test_servers_behind_a_closed_folder_die_with_their_parent(self, folder: Path) -> None:
        """The capability does not undo the kernel's promise."""
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        with parent(closed / "data") as process:
            pids, _ = started(process)
            process.kill()
            wait_until_gone(pids)
