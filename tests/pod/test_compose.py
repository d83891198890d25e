"""How a pod comes to be: its ports first, then its stores."""

import socket

import pytest

from pod.configs import NAMED, config, given
from trunkline.errors import SettingsError, StoreError
from trunkline.pod import compose
from trunkline.pod.compose import run_pod


def test_ports_are_bound_before_anything_else() -> None:
    """A port in use is told by the setting's name, and the other port is given back."""
    sockets = compose.listen(given())
    taken = str(sockets.internal.getsockname()[1])
    with pytest.raises(SettingsError, match="TRUNKLINE_INTERNAL_PORT"):
        compose.listen(given(TRUNKLINE_INTERNAL_PORT=taken))
    sockets.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", int(taken)))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("redis", "database", "error"),
    [
        ("nonsense", "", SettingsError),
        ("redis://127.0.0.1:1/0", "", StoreError),
    ],
)
async def test_a_pod_does_not_start_without_its_stores(
    redis: str, database: str, error: type[Exception]
) -> None:
    """It says which, and leaves nothing behind."""
    sockets = compose.listen(given())
    try:
        with pytest.raises(error):
            await run_pod(
                given(),
                config(),
                NAMED,
                sockets=sockets,
                redis_url=redis,
                database_url=database,
            )
    finally:
        sockets.close()


@pytest.mark.anyio
async def test_a_pod_does_not_start_with_a_database_that_is_not_migrated(
    redis_url: str,
) -> None:
    """Or with none that answers."""
    sockets = compose.listen(given())
    try:
        with pytest.raises(StoreError):
            await run_pod(
                given(),
                config(),
                NAMED,
                sockets=sockets,
                redis_url=redis_url,
                database_url="postgresql://nobody@127.0.0.1:1/none",
            )
    finally:
        sockets.close()
