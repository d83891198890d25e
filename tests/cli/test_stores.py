import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from pydantic import SecretStr

from folders import open_folder
from trunkline.adapters.embedded.stores import Embedded, EmbeddedStores
from trunkline.adapters.postgres.connect import opening
from trunkline.cli.stores import own_stores, with_call_log, with_stores
from trunkline.config import settings
from trunkline.config.settings import Settings
from trunkline.errors import SettingsError, StoreError

HOLDER: Final = """
import pathlib, sys
from trunkline.adapters.embedded.stores import Embedded
with Embedded(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
"""Serves a data folder until its input ends."""


def read(data_dir: Path, **given: str) -> Settings:
    environ = {f"TRUNKLINE_{name}": value for name, value in given.items()}
    return settings.load({**environ, "TRUNKLINE_DATA_DIR": str(data_dir)}, None)


async def server_since(database_url: str) -> str:
    """Which life of which server answers."""
    with opening(database_url):
        connection = await asyncpg.connect(database_url, timeout=5)
        try:
            return str(await connection.fetchval("SELECT pg_postmaster_start_time()"))
        finally:
            await connection.close(timeout=5)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder that nobody serves."""
    with open_folder() as folder:
        with Embedded(folder):
            pass
        yield folder


@contextlib.contextmanager
def held(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process serves the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            assert holder.stdin is not None
            holder.stdin.close()
            holder.wait(20)


def test_stores_that_are_set_are_used(stores: EmbeddedStores, tmp_path: Path) -> None:
    """And none is started: the data folder is not even made."""
    given = read(
        tmp_path / "data", REDIS_URL="redis://127.0.0.1:1/0", DATABASE_URL=stores.database_url
    )
    with own_stores(given) as found:
        assert found == EmbeddedStores("redis://127.0.0.1:1/0", stores.database_url)
    assert with_call_log(given, server_since)
    assert not (tmp_path / "data").exists()


def test_a_store_that_is_not_set_is_started(made: Path) -> None:
    """Only what is not set comes from the folder, and it ends with the block."""
    with own_stores(read(made, REDIS_URL="redis://127.0.0.1:1/0")) as found:
        assert found.redis_url == "redis://127.0.0.1:1/0"
        assert f"host={made}" in found.database_url
        assert (made / "run" / "valkey.sock").exists()
    assert not (made / "run").exists()


def test_a_folder_that_nobody_serves_is_served_for_the_work(made: Path) -> None:
    """Started anew each time, and gone afterwards."""
    assert with_call_log(read(made), server_since) != with_call_log(read(made), server_since)
    assert not (made / "run").exists()


def test_a_folder_that_a_pod_serves_is_read_over_its_shoulder(made: Path) -> None:
    """From the pod's own server, which goes on."""
    with held(made):
        first = with_call_log(read(made), server_since)
        assert with_call_log(read(made), server_since) == first


def test_a_holder_that_ends_in_the_middle_is_no_failure(made: Path) -> None:
    """The work begins again: its server went away, and then it has one of its own."""
    lives: list[str] = []

    with held(made) as holder:

        async def work(database_url: str) -> str:
            lives.append(await server_since(database_url))
            if len(lives) == 1:
                assert holder.stdin is not None
                holder.stdin.close()
                raise StoreError("the holder took its server away")
            return lives[-1]

        assert with_call_log(read(made), work) != lives[0]


async def both(stores: EmbeddedStores) -> EmbeddedStores:
    """The work that says where it is done."""
    return stores


def test_work_on_both_stores_gets_the_folder_s_where_none_is_set(made: Path) -> None:
    """Each by itself; held by a pod or not."""
    folder = Embedded(made).urls
    elsewhere = "redis://127.0.0.1:1/0"
    mixed = EmbeddedStores(elsewhere, folder.database_url)
    assert with_stores(read(made), both) == folder
    assert with_stores(read(made, REDIS_URL=elsewhere), both) == mixed
    with held(made):
        assert with_stores(read(made), both) == folder


def test_work_on_both_stores_starts_none_where_both_are_set(tmp_path: Path) -> None:
    """And makes no folder; one that is wrong is told."""
    given = read(tmp_path, REDIS_URL="redis://a:1/0", DATABASE_URL="postgresql://b:1/x")
    assert with_stores(given, both) == EmbeddedStores("redis://a:1/0", "postgresql://b:1/x")
    with pytest.raises(SettingsError, match="holds no call log"):
        with_stores(read(tmp_path), both)
    assert not list(tmp_path.iterdir())


def test_several_readers_at_once_are_all_served(made: Path) -> None:
    """As by `xargs -P4 trunkline calls show`: each ends well, whoever holds the folder."""
    code = (
        "import sys, pathlib; from cli.test_stores import *; "
        "print(with_call_log(read(pathlib.Path(sys.argv[1])), server_since))"
    )
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r}); {code}"]
    with contextlib.ExitStack() as stack:
        readers = [
            stack.enter_context(
                subprocess.Popen([*command, str(made)], stderr=subprocess.PIPE, text=True)
            )
            for _ in range(3)
        ]
        for reader in readers:
            _, complaint = reader.communicate(timeout=40)
            assert (reader.returncode, complaint) == (0, "")


def test_to_read_makes_no_call_log(tmp_path: Path) -> None:
    """The wrong folder is told, with what to do; to migrate may make one."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "data", tmp_path, tmp_path / "file"):
        with pytest.raises(SettingsError, match=f"TRUNKLINE_DATA_DIR: {place} holds no call log"):
            with_call_log(read(place), server_since)
    assert not (tmp_path / "data").exists()


def test_a_database_that_does_not_answer_is_told_by_its_setting(tmp_path: Path) -> None:
    """Nothing is tried again: nobody of ours is starting there."""

    async def refused(_database_url: str) -> None:
        raise StoreError("PostgreSQL can't be reached: ConnectionRefusedError")

    given = read(tmp_path, DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert isinstance(given.database_url, SecretStr)
    with pytest.raises(StoreError, match=r"^TRUNKLINE_DATABASE_URL: PostgreSQL can't be reached"):
        with_call_log(given, refused)


def test_what_is_wrong_with_the_work_is_not_tried_again(made: Path) -> None:
    """Where the server is our own, a failure is the answer, at once."""
    began, threads = time.monotonic(), threading.active_count()

    async def refused(_database_url: str) -> None:
        raise StoreError("the database's schema is newer")

    with pytest.raises(StoreError, match=r"^the database's schema is newer$"):
        with_call_log(read(made), refused)
    assert time.monotonic() - began < 5
    assert threading.active_count() <= threads
