"""What a URL of Redis says.

    redis://[USER:PASSWORD@]HOST[:6379][/DB]            rediss://… with TLS
    unix:///PATH[?db=DB]
    redis+sentinel://[USER:PASSWORD@]HOST[:26379],HOST…/SERVICE[/DB][?sentinel_password=…]

`rediss+sentinel://` speaks TLS to the sentinels and to the stores. The user and the password are
the store's; the sentinels' own are `sentinel_username` and `sentinel_password`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio.connection import parse_url

from trunkline.errors import SettingsError

FORM: Final = (
    "redis://HOST:PORT/0, rediss://… with TLS, unix:///PATH?db=0, or"
    " redis+sentinel://HOST:PORT,HOST:PORT/SERVICE"
)

SENTINEL: Final = "+sentinel"
SENTINEL_PORT: Final = 26379
SENTINELS_MAX: Final = 16
"""More are a typing error: each that is silent costs a part of a step's deadline."""

OPTIONS: Final = frozenset({"db", "username", "password", "client_name", "protocol"})
TLS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
TLS_OPTIONS: Final = frozenset(
    {
        *TLS_FILES,
        "ssl_ca_path",
        "ssl_ca_data",
        "ssl_password",
        "ssl_cert_reqs",
        "ssl_check_hostname",
        "ssl_min_version",
        "ssl_ciphers",
    }
)
SENTINEL_OPTIONS: Final = frozenset({"sentinel_username", "sentinel_password"})


@dataclass(frozen=True, slots=True)
class Address:
    """One store, or the sentinels that know where it is."""

    tls: bool
    options: Mapping[str, object] = field(repr=False)
    """redis-py's own words for how to connect to the store; passwords are among them."""
    service: str | None = None
    """The name under which the sentinels know the store; None: there are none."""
    sentinels: tuple[tuple[str, int], ...] = ()
    sentinel_options: Mapping[str, object] = field(default_factory=dict, repr=False)


def read(url: str) -> Address:
    """Read a URL.

    Raises:
        SettingsError: it can't be read. The text holds nothing of it: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        _expect_known(parts.scheme, query)
        if parts.scheme.endswith(SENTINEL):
            return _behind_sentinels(parts, query)
        if parts.scheme != "unix":
            _expect_host(parts)
            _expect_number(parts.path)
        return Address(tls=parts.scheme == "rediss", options=_options(url))
    except ValueError:
        # The cause is cut off: its text may quote the URL.
        raise SettingsError(f"TRUNKLINE_REDIS_URL is no URL of Redis: {FORM}") from None


def _behind_sentinels(parts: SplitResult, query: Mapping[str, str]) -> Address:
    scheme = parts.scheme.removesuffix(SENTINEL)
    who, _, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise SettingsError(
            "TRUNKLINE_REDIS_URL names no service: its form is"
            f" {scheme}{SENTINEL}://HOST:PORT,HOST:PORT/SERVICE, with the sentinels' name for it"
        )
    _expect_number(db)
    own = urlencode({name: text for name, text in query.items() if name not in SENTINEL_OPTIONS})
    options = _options(f"{scheme}://{who}{'@' if who else ''}store/{db}?{own}")
    del options["host"]
    sentinel_options = {name: v for name, v in options.items() if name.startswith("ssl_")}
    for name in SENTINEL_OPTIONS & query.keys():
        sentinel_options[name.removeprefix("sentinel_")] = query[name]
    return Address(
        tls=scheme == "rediss",
        options=options,
        service=unquote(service),
        sentinels=_hosts(hosts),
        sentinel_options=sentinel_options,
    )


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for one in text.split(","):
        parts = urlsplit(f"//{one}")
        hosts.append((_expect_host(parts), parts.port or SENTINEL_PORT))
    if len(hosts) > SENTINELS_MAX:
        raise ValueError
    return tuple(hosts)


def _options(url: str) -> dict[str, object]:
    options: dict[str, object] = {**parse_url(url)}
    options.pop("connection_class", None)
    return options


def _expect_host(parts: SplitResult) -> str:
    if not parts.hostname:
        raise ValueError
    return parts.hostname


def _expect_number(path: str) -> None:
    """A database's number, which redis-py would pass over in silence if it is none."""
    if path.strip("/") and not path.strip("/").isdecimal():
        raise ValueError


def _expect_known(scheme: str, query: Mapping[str, str]) -> None:
    """Deadlines and the pool's size are ours; an option that nobody reads is a typing error."""
    known = OPTIONS
    if scheme.startswith("rediss"):
        known |= TLS_OPTIONS
    if scheme.endswith(SENTINEL):
        known |= SENTINEL_OPTIONS
    if query.keys() <= known:
        return
    if query.keys() <= known | TLS_OPTIONS:
        raise SettingsError(
            "TRUNKLINE_REDIS_URL has an option of TLS and does not ask for TLS: write rediss://"
        )
    raise SettingsError(
        "TRUNKLINE_REDIS_URL has an option that is not one of " + ", ".join(sorted(known))
    )
