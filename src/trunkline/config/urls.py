"""What a URL in the settings and in the config file must look like. ValueError says what is not."""

import ipaddress
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

URL_CHARS_MAX: Final = 2048


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(url: str) -> SplitResult:
    if len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("expected a URL of printable ASCII")
    return urlsplit(url)


def _split(url: str) -> SplitResult:
    parts = _plain(url)
    _ = parts.port  # Raises ValueError beyond 65535.
    return parts


def _one_of(url: str, secure: str, plain: str) -> str:
    """The URL without a slash at its end; `plain` is let be on loopback hosts only."""
    parts = _split(url)
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("expected a URL without user, password and fragment")
    host = parts.hostname or ""
    if not host or not (parts.scheme == secure or (parts.scheme == plain and is_loopback(host))):
        raise ValueError(f"expected {secure}://… ({plain}:// only for loopback hosts)")
    return url.rstrip("/")


def https(url: str) -> str:
    """An `https` URL; `http` on loopback hosts."""
    return _one_of(url, "https", "http")


def wss(url: str) -> str:
    """A `wss` URL; `ws` on loopback hosts."""
    return _one_of(url, "wss", "ws")


def public(url: str) -> str:
    """As `https`, and nothing behind the host: our own paths follow."""
    clean = https(url)
    parts = urlsplit(clean)
    if parts.path or parts.query:
        raise ValueError("expected a URL without a path")
    return clean


def either_http(url: str) -> str:
    """An `http` or `https` URL: a tool may live in a private network."""
    parts = _split(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected http://… or https://…")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("expected a URL without user, password and fragment")
    return url


def check_store(url: str, schemes: Collection[str]) -> None:
    """Raise ValueError unless the URL has one of the schemes and leads somewhere.

    It may name several hosts: those of a database and its standbys, or the sentinels.
    """
    parts = _plain(url)
    for host in parts.netloc.rpartition("@")[2].split(","):
        _ = urlsplit(f"//{host}").port  # Raises ValueError beyond 65535.
    # PostgreSQL's URL may name no host: then the socket's folder is in its query.
    if parts.scheme not in schemes or not (parts.netloc or parts.path.strip("/") or parts.query):
        raise ValueError(f"expected {' or '.join(f'{scheme}://…' for scheme in schemes)}")


def without_password(text: str) -> str:
    """The text with what stands before a URL's `@` masked."""
    return re.sub(r"//[^/@\s]*@", "//***@", text)


def is_plain_http(url: str) -> bool:
    """Whether what is sent there can be read on its way to another machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
