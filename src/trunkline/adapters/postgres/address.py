"""What we read in a URL of PostgreSQL before asyncpg does: its files, and the system's own trust.

    postgresql://[USER[:PASSWORD]@]HOST[:5432][,HOST[:PORT]…]/DATABASE[?sslmode=verify-full…]

asyncpg reads the rest, and the variables of libpq (PGPASSFILE, PGSSLROOTCERT …), as it says.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypedDict
from urllib.parse import parse_qs, urlsplit

from trunkline.adapters import tls
from trunkline.errors import SettingsError

FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")

SYSTEM: Final = "system"
"""`sslrootcert=system`: libpq's word for the authorities that this machine trusts."""

SCHEMES: Final = ("postgresql://", "postgres://")
FORM: Final = "postgresql://USER@HOST:5432/DATABASE"


class DriverArguments(TypedDict, total=False):
    """What asyncpg is called with."""

    dsn: str
    ssl: ssl.SSLContext


def read(database_url: str) -> DriverArguments:
    """Arguments of asyncpg for a URL.

    Raises:
        SettingsError: it can't be read, or a file that it names. The text holds nothing of it: it
            may hold a password.
    """
    if not database_url.startswith(SCHEMES):
        raise SettingsError(f"TRUNKLINE_DATABASE_URL is no URL of PostgreSQL: {FORM}")
    try:
        query = {name: texts[-1] for name, texts in parse_qs(urlsplit(database_url).query).items()}
    except ValueError:
        raise SettingsError(
            f"TRUNKLINE_DATABASE_URL has a part that can't be read: {FORM}"
        ) from None
    trusts_system = query.get("sslrootcert") == SYSTEM
    for option in FILES:
        if option in query and not (option == "sslrootcert" and trusts_system):
            _expect_file(option, query[option])
    if trusts_system and query.get("sslmode") != "verify-full":
        # A name that is not checked is anybody's who has a certificate of his own.
        raise SettingsError(
            "TRUNKLINE_DATABASE_URL: sslrootcert=system needs sslmode=verify-full beside it"
        )
    try:
        context = _context(query, trusts_system=trusts_system)
    except (ssl.SSLError, OSError) as fault:
        raise SettingsError(
            "TRUNKLINE_DATABASE_URL: what its ssl… options name can't be used:"
            f" {tls.reason_of(fault) or 'unreadable'}"
        ) from None
    return {"dsn": database_url, "ssl": context} if trusts_system else {"dsn": database_url}


def _expect_file(option: str, path: str) -> None:
    try:
        Path(path).read_bytes()
    except OSError as fault:
        raise SettingsError(
            f"TRUNKLINE_DATABASE_URL: the file of {option} can't be read: {fault.strerror}"
        ) from None


def _context(query: Mapping[str, str], *, trusts_system: bool) -> ssl.SSLContext:
    """Loads what the URL names: asyncpg does so too, but its faults look like the server's."""
    if trusts_system:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for option in ("sslrootcert", "sslcrl"):
            if option in query:
                context.load_verify_locations(cafile=query[option])
    if "sslcert" in query:
        password = query.get("sslpassword", "")
        context.load_cert_chain(query["sslcert"], query.get("sslkey"), lambda: password)
    return context
