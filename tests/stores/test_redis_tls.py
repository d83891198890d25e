"""`rediss://` as people have it: behind a relay of TLS, and with a store's own TLS."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chains import CALL, WHOLE_CALL, chain
from folders import open_folder
from servers import (
    HOST,
    Certificates,
    asking,
    debian,
    free_port,
    give,
    redis_command,
    running,
    store_answers,
)
from trunkline.adapters.redis.connect import check, connect
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.core.ids import Incarnation, PodName
from trunkline.core.record import Head
from trunkline.errors import StoreError
from trunkline.ports import Holder

pytestmark = [pytest.mark.route, pytest.mark.anyio]
PASSWORD = "sesame-canary"


@dataclass(frozen=True)
class Place:
    port: int
    files: Certificates
    who: str = ""

    def url(self, **options: object) -> str:
        given = {"ssl_ca_certs": self.files.ca} | self.client | options
        query = "&".join(f"{name}={value}" for name, value in given.items() if value)
        return f"rediss://{self.who}{HOST}:{self.port}/0?{query}"

    @property
    def client(self) -> dict[str, object]:
        return {"ssl_certfile": self.files.client, "ssl_keyfile": self.files.client}


@pytest.fixture(scope="module")
def debian_port(certificates: Certificates) -> Iterator[int]:
    """Debian's Redis with its own TLS, which asks for a client's certificate."""
    program, port = debian("redis-server", "redis-server"), free_port()
    with open_folder() as folder:
        give(folder)
        command = redis_command(program, port, certificates)
        command += ["--requirepass", PASSWORD, "--tls-auth-clients", "yes", "--dir", folder]

        def answers() -> bool:
            with asking(port, PASSWORD, certificates) as client:
                return store_answers(client)

        with running(folder, "redis", command, answers):
            yield port


@pytest.fixture(params=["relay", "debian"])
def place(request: pytest.FixtureRequest, certificates: Certificates) -> Place:
    if request.param == "relay":
        return Place(int(request.getfixturevalue("tls_port")), certificates)
    port = int(request.getfixturevalue("debian_port"))
    return Place(port, certificates, f":{PASSWORD}@")


async def test_a_whole_call_is_kept(place: Place) -> None:
    """The store is checked, and a journal written and read."""
    async with connect(place.url()) as client:
        assert await check(client) == ()
        await client.flushall()
        journal = RedisJournal(client)
        pod, life = PodName("pod-0"), Incarnation("a")
        opening = await journal.open_call(CALL, pod, life)
        entries = chain(CALL, *WHOLE_CALL)
        await journal.append(CALL, Holder(opening.epoch, pod, life), Head(), entries)
        assert await journal.read(CALL) == entries


@pytest.mark.parametrize("ssl_ca_certs", ["", "strange_ca"])
async def test_an_authority_that_is_not_trusted(place: Place, ssl_ca_certs: str) -> None:
    """The machine's own authorities, or another file: refused, and the line says why."""
    ca = getattr(place.files, ssl_ca_certs) if ssl_ca_certs else None
    async with connect(place.url(ssl_ca_certs=ca)) as client:
        with pytest.raises(StoreError, match="its certificate is not trusted: ") as caught:
            await check(client)
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_an_authority_of_the_machines(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file in the URL OpenSSL's own list decides: a public store needs no option."""
    monkeypatch.setenv("SSL_CERT_FILE", str(place.files.ca))
    async with connect(place.url(ssl_ca_certs=None)) as client:
        await check(client)


async def test_a_name_that_the_certificate_does_not_have(place: Place) -> None:
    """A store that answers by another name is no store of ours, unless the URL says so."""
    url = place.url().replace(HOST, "localhost")
    async with connect(url) as client:
        with pytest.raises(StoreError, match="not trusted: Hostname mismatch"):
            await check(client)
    async with connect(f"{url}&ssl_check_hostname=false") as client:
        await check(client)


async def test_a_certificate_that_nobody_checks(place: Place) -> None:
    """For a test bench: whoever says so gets it."""
    async with connect(place.url(ssl_ca_certs=None, ssl_cert_reqs="none")) as client:
        await check(client)


async def test_a_store_that_asks_for_our_certificate(place: Place) -> None:
    """Without one the handshake fails; the line says that TLS did."""
    async with connect(place.url(ssl_certfile=None, ssl_keyfile=None)) as client:
        with pytest.raises(StoreError, match="can't be reached: "):
            await check(client)


async def test_a_port_that_expects_tls(place: Place) -> None:
    """`redis://` there fails in time."""
    async with connect(f"redis://{HOST}:{place.port}/0") as client:
        with pytest.raises(StoreError, match=r"can't be reached|in time"):
            await check(client)
