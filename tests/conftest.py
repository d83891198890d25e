"""What every test may use."""

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Asynchronous tests run on the loop that production runs on."""
    return "asyncio", {"use_uvloop": True}
