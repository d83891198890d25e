"""Which stores a command talks to: those of the settings, or the embedded ones."""

import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import uvloop

from trunkline.adapters.embedded.stores import Embedded, EmbeddedStores
from trunkline.config.settings import Settings
from trunkline.errors import Held, SettingsError, StoreError, naming

BUSY_S_MAX: Final = 10.0
"""So long a data folder's other user may take to start or to end; then the command fails."""

BUSY_POLL_S: Final = 0.1

T = TypeVar("T")


@contextmanager
def own_stores(read: Settings) -> Iterator[EmbeddedStores]:
    """The URLs of both stores; those that are not set are started here, and end here."""
    redis_url = read.redis_url.get_secret_value() if read.redis_url else None
    database_url = read.database_url.get_secret_value() if read.database_url else None
    if redis_url is not None and database_url is not None:
        yield EmbeddedStores(redis_url, database_url)
        return
    with Embedded(read.data_dir) as started:
        yield EmbeddedStores(redis_url or started.redis_url, database_url or started.database_url)


def with_call_log(
    read: Settings, work: Callable[[str], Coroutine[object, object, T]], *, makes: bool = False
) -> T:
    """What `work` returns, given the URL of the call log: the settings', else the data folder's.

    A folder that nobody serves is served for this. From one that a pod or another command serves
    we read over its shoulder; as that may be starting or ending, `work` may begin several times.

    Raises:
        SettingsError: the folder has no call log, and none is made for this (`makes`).
        StoreError: the database did not answer or refused.
    """
    if read.database_url is not None:
        with naming("TRUNKLINE_DATABASE_URL"):
            return uvloop.run(work(read.database_url.get_secret_value()))
    if not makes:
        _expect_call_log(read.data_dir)
    return _served(read.data_dir, lambda urls: work(urls.database_url))


def with_stores(
    read: Settings, work: Callable[[EmbeddedStores], Coroutine[object, object, T]]
) -> T:
    """As `with_call_log`, given the URLs of both stores; those that are not set are the folder's.

    Raises:
        SettingsError: the folder has no call log, and the settings name none.
        StoreError: a store did not answer or refused.
    """
    redis_url = read.redis_url.get_secret_value() if read.redis_url else None
    database_url = read.database_url.get_secret_value() if read.database_url else None
    if redis_url is not None and database_url is not None:
        return uvloop.run(work(EmbeddedStores(redis_url, database_url)))
    if database_url is None:
        _expect_call_log(read.data_dir)

    def with_own(urls: EmbeddedStores) -> Coroutine[object, object, T]:
        return work(EmbeddedStores(redis_url or urls.redis_url, database_url or urls.database_url))

    return _served(read.data_dir, with_own)


def _served(data_dir: Path, work: Callable[[EmbeddedStores], Coroutine[object, object, T]]) -> T:
    """What `work` returns, with the folder's stores served by us or by whoever holds it."""
    late = time.monotonic() + BUSY_S_MAX
    embedded = Embedded(data_dir)
    while True:
        try:
            started = embedded.__enter__()
        except Held as held:
            try:
                return uvloop.run(work(embedded.urls))
            except StoreError as fault:
                if time.monotonic() > late:
                    raise StoreError(f"{fault}, and {held}") from fault
            time.sleep(BUSY_POLL_S)
        else:
            try:
                return uvloop.run(work(started))
            finally:
                embedded.__exit__(None, None, None)


def _expect_call_log(data_dir: Path) -> None:
    """To read a log makes none: an empty list would hide that this is the wrong folder."""
    try:
        (data_dir / "postgres").stat()
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(
            f"TRUNKLINE_DATA_DIR: {data_dir.absolute()} holds no call log yet; run this where "
            "`trunkline up` ran, or set TRUNKLINE_DATA_DIR or TRUNKLINE_DATABASE_URL as it was set"
        ) from None
    except OSError:
        pass  # It is there, and closed to us: who opens it says so.
