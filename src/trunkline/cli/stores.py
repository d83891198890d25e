"""Which stores a command talks to: those of the settings, or the embedded ones."""

from collections.abc import Iterator
from contextlib import contextmanager

from trunkline.adapters.embedded.stores import Embedded, EmbeddedStores
from trunkline.config.settings import Settings
from trunkline.errors import StoreError


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


@contextmanager
def call_log(read: Settings) -> Iterator[str]:
    """The URL of the call log, for reading: a running pod's, or one started for this command."""
    if read.database_url is not None:
        yield read.database_url.get_secret_value()
        return
    embedded = Embedded(read.data_dir)
    try:
        started = embedded.__enter__()
    except StoreError:
        # `trunkline up` holds the folder and serves from it: read over its shoulder.
        yield embedded.urls.database_url
        return
    try:
        yield started.database_url
    finally:
        embedded.__exit__(None, None, None)
