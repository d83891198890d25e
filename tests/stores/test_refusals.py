"""Real servers that won't do as a journal's store: the line says what each is."""

from collections.abc import Iterator
from functools import partial

import pytest

from folders import open_folder
from servers import HOST, asking, free_port, give, redis_command, running, store_answers
from trunkline.adapters.embedded.programs import valkey_binary
from trunkline.adapters.redis.connect import check, connect
from trunkline.errors import SettingsError, StoreError

pytestmark = [pytest.mark.route, pytest.mark.anyio]
PASSWORD = "sesame-canary"
KINDS = {"plain": (), "cluster": ("--cluster-enabled", "yes"), "sentinel": ("--sentinel",)}


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    chosen = free_port()
    with open_folder() as folder, asking(chosen, PASSWORD, None) as client:
        config = folder / "server.conf"
        config.write_text(f"dir {folder}\n")
        give(folder, config)
        program, *options = redis_command(valkey_binary(), chosen, None)
        if request.param == "sentinel":
            options = ["--port", chosen, "--bind", HOST]
        command = [program, config, *options, "--requirepass", PASSWORD, *KINDS[request.param]]
        with running(folder, "server", command, partial(store_answers, client)):
            yield chosen


@pytest.mark.parametrize("port", ["cluster"], indirect=True)
async def test_a_cluster(port: int) -> None:
    """Its keys lie on several servers, and a script of ours touches two."""
    async with connect(f"redis://:{PASSWORD}@{HOST}:{port}/0") as client:
        with pytest.raises(SettingsError, match=r"^TRUNKLINE_REDIS_URL: the store is a cluster"):
            await check(client)


@pytest.mark.parametrize("port", ["sentinel"], indirect=True)
async def test_a_sentinel(port: int) -> None:
    """It has no keys at all; the line has the form of URL that is meant for it."""
    async with connect(f"redis://:{PASSWORD}@{HOST}:{port}/0") as client:
        with pytest.raises(SettingsError, match=r"this is a sentinel: write redis\+sentinel://"):
            await check(client)


@pytest.mark.parametrize("port", ["plain"], indirect=True)
async def test_a_port_without_tls(port: int) -> None:
    """A server without TLS waits for the rest of what it takes for a command: so does `rediss://`.

    A missing or wrong password is told by its name.
    """
    for url, told in (
        (f"rediss://:{PASSWORD}@{HOST}:{port}/0", r"in time|does not speak TLS on this port"),
        (f"redis://{HOST}:{port}/0", "it refused the URL's user or password"),
        (f"redis://:wrong@{HOST}:{port}/0", "it refused the URL's user or password"),
    ):
        async with connect(url) as client:
            with pytest.raises(StoreError, match=told):
                await check(client)
