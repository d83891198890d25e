from collections.abc import Mapping

import pytest

from trunkline.cli import serve, start
from trunkline.config import settings

pytestmark = pytest.mark.usefixtures("enough")


def test_a_pod_that_is_ready_says_where_and_what_to_enter_at_twilio(
    enough: Mapping[str, str],
) -> None:
    """A line for programs, then what a first user needs; the built-in agent is not left unsaid."""
    first, *more = serve.greeting(settings.load(enough, None), 8080, 8081).splitlines()
    assert first == "trunkline answers on port 8080; health, metrics and calls on port 8081"
    url = "https://pod.example/twilio"
    assert more == [
        f"webhooks for Twilio: {url}/voice for calls, {url}/status for their status",
        "TRUNKLINE_CONFIG is not set: one built-in agent answers every number",
    ]
    own = settings.load({**enough, "TRUNKLINE_CONFIG": "trunkline.yaml"}, None)
    assert len(serve.greeting(own, 8080, 8081).splitlines()) == 2


def test_both_ports_are_open_before_a_store_is_started_and_closed_at_the_end() -> None:
    """What comes later may fail: a second start finds the ports free."""
    with serve.listening(start.read(None)) as sockets:
        ports = [sockets.public.getsockname()[1], sockets.internal.getsockname()[1]]
        assert all(ports)
    assert sockets.public.fileno() == sockets.internal.fileno() == -1
