import pytest

from trunkline.adapters.redis.address import read
from trunkline.errors import SettingsError

PASSWORD = "sesame-canary"


def test_one_store() -> None:
    """Host, port, user, password and the number of the database."""
    found = read("redis://me:a%40b@store.example:6380/3")
    assert found.options == {
        "host": "store.example",
        "port": 6380,
        "username": "me",
        "password": "a@b",
        "db": 3,
    }
    assert (found.tls, found.service) == (False, None)


def test_one_store_with_tls() -> None:
    """The files and the strictness of TLS are options of the URL."""
    found = read("rediss://h?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none&ssl_check_hostname=false")
    assert found.tls
    assert found.options["ssl_ca_certs"] == "/ca.pem"
    assert found.options["ssl_cert_reqs"] == "none"
    assert found.options["ssl_check_hostname"] is False


def test_a_unix_socket() -> None:
    """Its path, and the database in the query."""
    found = read("unix:///run/valkey.sock?db=2")
    assert found.options == {"path": "/run/valkey.sock", "db": 2}


def test_sentinels() -> None:
    """The store's password before the hosts, the sentinels' own in the query."""
    found = read(
        "redis+sentinel://me:store@a:1,b/calls/4?sentinel_username=s&sentinel_password=own"
    )
    assert found.sentinels == (("a", 1), ("b", 26379))
    assert found.service == "calls"
    assert found.options == {"username": "me", "password": "store", "db": 4}
    assert found.sentinel_options == {"username": "s", "password": "own"}
    assert not found.tls


def test_sentinels_with_tls() -> None:
    """What is trusted is the same at the sentinels and at the stores."""
    found = read("rediss+sentinel://a:1/calls?ssl_ca_certs=/ca.pem")
    assert found.tls
    assert found.options == {"ssl_ca_certs": "/ca.pem"}
    assert found.sentinel_options == {"ssl_ca_certs": "/ca.pem"}


def test_nothing_secret_is_shown() -> None:
    """An address in a log or in an assertion."""
    found = read(f"redis+sentinel://:{PASSWORD}@a/calls?sentinel_password={PASSWORD}")
    assert PASSWORD not in repr(found)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:{}@h/zero", "is no URL of Redis"),
        ("redis://:{}@/0", "is no URL of Redis"),
        ("redis://:{}@h:port/0", "is no URL of Redis"),
        ("rediss+sentinel://:{}@a:1,:2/calls", "is no URL of Redis"),
        ("redis+sentinel://:{}@a,b:99999/calls", "is no URL of Redis"),
        ("redis+sentinel://:{}@" + ",".join(["a"] * 17) + "/calls", "is no URL of Redis"),
        ("redis+sentinel://:{}@a/calls/zero", "is no URL of Redis"),
        ("redis+sentinel://:{}@a:26379", "names no service"),
        ("redis://:{}@h?ssl_ca_certs=/ca.pem", "write rediss://"),
        ("redis://:{}@h?sentinel_password=x", "has an option that is not one of client_name, db"),
        ("redis://:{}@h?socket_timeout=60", "has an option that is not one of"),
        ("redis://:{}@h?max_connections=1000", "has an option that is not one of"),
        ("redis://:{}@h?decode_responses=1", "has an option that is not one of"),
        ("redis://:{}@h?db", "is no URL of Redis"),
        ("redis://:{}@h?db=x", "is no URL of Redis"),
    ],
)
def test_a_url_that_can_not_be_read(url: str, told: str) -> None:
    """One line names the setting and the remedy, and quotes nothing."""
    with pytest.raises(SettingsError, match=f"^TRUNKLINE_REDIS_URL.*{told}") as caught:
        read(url.format(PASSWORD))
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
