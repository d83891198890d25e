from pathlib import Path

import pytest

from servers import Certificates
from trunkline.adapters.redis import pools
from trunkline.adapters.redis.address import read
from trunkline.errors import SettingsError

pytestmark = pytest.mark.anyio


def test_a_step_has_time_for_a_silent_minority_of_sentinels() -> None:
    """Two of five are silent, the third knows, and the store still has its time to answer."""
    silent = 2 * pools.SENTINEL_S_MAX
    assert silent + pools.SENTINEL_S_MAX + pools.COMMAND_S_MAX < pools.STEP_S_MAX


@pytest.mark.parametrize(
    "url", ["redis://h", "rediss://h", "unix:///x", "redis+sentinel://h/s", "rediss+sentinel://h/s"]
)
async def test_every_way_has_deadlines_and_a_bound(url: str) -> None:
    """Whatever the URL says: connecting, an answer, an idle connection, the pool's size."""
    pool = pools.make(read(url), 3)
    connection = pool.make_connection()  # type: ignore[no-untyped-call]
    assert connection.socket_connect_timeout == pools.CONNECT_S_MAX
    assert connection.socket_timeout == pools.COMMAND_S_MAX
    assert connection.health_check_interval == pools.IDLE_S_MAX
    assert pool.max_connections == 3
    await pool.aclose()


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
def test_a_file_that_is_not_there(option: str) -> None:
    """The option is named, so that the setting can be mended before a call comes in."""
    with pytest.raises(SettingsError, match=f"the file of {option} can't be read: No such file"):
        pools.make(read(f"rediss://h?{option}=/nowhere.pem"), 1)


def test_a_file_that_holds_no_certificate(tmp_path: Path) -> None:
    """Nor a key."""
    (tmp_path / "empty.pem").write_text("nothing")
    for option in ("ssl_ca_certs", "ssl_certfile"):
        with pytest.raises(SettingsError, match="options name can't be used"):
            pools.make(read(f"rediss://h?{option}={tmp_path}/empty.pem"), 1)


def test_a_key_of_another_certificate(certificates: Certificates) -> None:
    """The pair must fit."""
    files = f"ssl_certfile={certificates.client}&ssl_keyfile={certificates.server}"
    with pytest.raises(SettingsError, match="KEY_VALUES_MISMATCH"):
        pools.make(read(f"rediss://h?{files}"), 1)


@pytest.mark.parametrize(
    "option", ["ssl_cert_reqs=maybe", "protocol=4", "ssl_ciphers=NO-SUCH-CIPHER"]
)
def test_a_value_that_can_not_be_used(option: str) -> None:
    """One line; the value is not quoted."""
    with pytest.raises(SettingsError, match=r"^TRUNKLINE_REDIS_URL") as caught:
        pools.make(read(f"rediss://h?{option}"), 1)
    assert option.partition("=")[2] not in str(caught.value)
