from collections.abc import Callable

import pytest

from trunkline.config import urls


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, *, own: bool) -> None:
    """A name that merely begins like one of this machine's is another's."""
    assert urls.is_loopback(host) is own


@pytest.mark.parametrize(
    ("check", "url", "clean"),
    [
        (urls.https, "https://example.com/", "https://example.com"),
        (urls.https, "https://example.com:8443/a?b=c", "https://example.com:8443/a?b=c"),
        (urls.https, "http://localhost:1", "http://localhost:1"),
        (urls.https, "http://[::1]:1", "http://[::1]:1"),
        (urls.wss, "wss://example.com/v1?x=y", "wss://example.com/v1?x=y"),
        (urls.wss, "ws://127.0.0.1:9/v1", "ws://127.0.0.1:9/v1"),
        (urls.public, "https://example.com/", "https://example.com"),
        (urls.either_http, "http://crm.internal/x", "http://crm.internal/x"),
        (urls.either_http, "https://example.com/x?y", "https://example.com/x?y"),
    ],
)
def test_right_urls(check: Callable[[str], str], url: str, clean: str) -> None:
    """They come back, without a slash at the end where paths of ours follow."""
    assert check(url) == clean


@pytest.mark.parametrize(
    ("check", "url"),
    [
        (urls.https, "http://example.com"),
        (urls.https, "http://localhost.example.com"),
        (urls.https, "http://127.0.0.1.example.com"),
        (urls.https, "ftp://example.com"),
        (urls.https, "https://"),
        (urls.https, "https:///path"),
        (urls.https, "example.com"),
        (urls.https, ""),
        (urls.https, "https://example.com:99999"),
        (urls.https, "https://example.com:port"),
        (urls.https, "https://user:pw@example.com"),
        (urls.https, "https://example.com/#part"),
        (urls.https, "https://exam ple.com"),
        (urls.https, "https://exämple.com"),
        (urls.https, "https://example.com/\n"),
        (urls.https, "https://example.com/" + "a" * 2048),
        (urls.wss, "https://example.com"),
        (urls.wss, "ws://example.com"),
        (urls.public, "https://example.com/path"),
        (urls.public, "https://example.com?query"),
        (urls.either_http, "wss://example.com"),
        (urls.either_http, "http:///x"),
        (urls.either_http, "https://user:pw@example.com"),
    ],
)
def test_wrong_urls(check: Callable[[str], str], url: str) -> None:
    """Nothing but a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - its text differs by fault
        check(url)


@pytest.mark.parametrize(
    "url",
    ["redis://localhost/0", "unix:///run/redis.sock", "rediss://:pw@example.com:6380/1"],
)
def test_right_stores(url: str) -> None:
    """A store's URL may hold a password: it is a secret as a whole."""
    urls.check_store(url, ("redis", "rediss", "unix"))


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://:pw@a:26379,b:26379,c/calls/1",
        "postgresql://me:pw@a:5432,b:5433/calls?target_session_attrs=primary",
    ],
)
def test_a_store_of_several_hosts(url: str) -> None:
    """Sentinels, or a database and its standbys."""
    urls.check_store(url, ("redis+sentinel", "postgresql"))


@pytest.mark.parametrize("url", ["postgresql://a:5432,b:99999/x", "postgresql://a,b:port/x"])
def test_each_of_several_ports_is_read(url: str) -> None:
    """The second host's too."""
    with pytest.raises(ValueError):  # noqa: PT011 - its text differs by fault
        urls.check_store(url, ("postgresql",))


def test_a_store_by_the_folder_of_its_socket() -> None:
    """PostgreSQL's way to name a Unix socket."""
    urls.check_store("postgresql:///calls?host=/run/postgresql", ("postgresql",))


@pytest.mark.parametrize("url", ["redis://", "http://example.com", "redis", "", "redis://a b"])
def test_wrong_stores(url: str) -> None:
    """Another scheme, or nowhere to go."""
    with pytest.raises(ValueError):  # noqa: PT011 - its text differs by fault
        urls.check_store(url, ("redis", "rediss", "unix"))


def test_a_password_is_masked() -> None:
    """Where a URL is quoted in an error."""
    assert urls.without_password("http://me:s3cret@x/y@z") == "http://***@x/y@z"
    assert urls.without_password("no url") == "no url"
