"""The far ends."""

import socket
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from trunkline.errors import SettingsError
from trunkline.loadtest.ends import UNSIGNED, Wanted, open_ends, own_environ
from trunkline.loadtest.timeline import parse_all
from trunkline.sim.carrier.faults import NO_FAULTS

WANTED = Wanted(
    url="http://127.0.0.1:1/voice",
    to="+15550100001",
    auth_token=None,
    status_url=None,
    ca_file=None,
    model_port=None,
    marks=False,
    metrics_url=None,
    data_dir=Path("nowhere"),
    calls=20,
)


@pytest.mark.anyio
async def test_another_bot_is_called_unsigned_and_without_a_model() -> None:
    """Faults of a model that is not there strike nobody."""
    async with open_ends(WANTED, {}) as ends:
        assert ends.usual == UNSIGNED
        assert ends.sessions == []
        ends.strike(parse_all(["1s model.refuse=1s"], 10), 0.0)
        ends.hit("reset")
        ends.calm()
    async with open_ends(replace(WANTED, auth_token="its-token"), {}) as ends:
        assert ends.usual == NO_FAULTS


@pytest.mark.anyio
async def test_a_model_of_ours_is_struck_on_the_tests_clock() -> None:
    """Its switches are set for later, all open sessions are struck at once; then all is calm."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with (
        open_ends(replace(WANTED, model_port=port), {}) as ends,
        aiohttp.ClientSession() as http,
    ):
        assert ends.model is not None
        ends.strike(parse_all(["20s model.refuse=10s"], 60), ends.model.faults.started_at + 3)
        [switch] = ends.model.faults.active()
        assert (switch.kind, switch.from_s, switch.until_s) == ("handshake", 23.0, 33.0)
        url = f"{ends.model.url}?model=gpt-realtime"
        async with http.ws_connect(url, headers={"Authorization": "Bearer any"}) as session:
            await session.receive()
            assert len(ends.sessions) == 1
            ends.hit("expire")
            assert (await session.receive()).type in {
                aiohttp.WSMsgType.TEXT,
                aiohttp.WSMsgType.CLOSE,
            }
        ends.calm()
        assert ends.model.faults.active() == []


@pytest.mark.anyio
async def test_a_port_that_is_taken_is_told() -> None:
    """By the option's name."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = replace(WANTED, model_port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match=r"--model \d+: cannot listen on 127.0.0.1"):
            async with open_ends(wanted, {}):
                pytest.fail("it listened")


@pytest.mark.anyio
async def test_more_calls_than_the_system_has_files_for_are_refused() -> None:
    """Before anything is started."""
    with pytest.raises(SettingsError, match="raise `ulimit -n`, or lower --calls"):
        async with open_ends(replace(WANTED, calls=10**9), {}):
            pytest.fail("it was allowed")


def test_our_own_pod_has_room_for_calls_that_follow_one_another() -> None:
    """An ended call frees its slot a moment after the next began; never more than a pod takes."""
    assert own_environ(WANTED, "ws://x")["TRUNKLINE_CALLS_MAX"] == "30"
    assert own_environ(replace(WANTED, calls=200), "ws://x")["TRUNKLINE_CALLS_MAX"] == "250"
    assert own_environ(replace(WANTED, calls=1000), "ws://x")["TRUNKLINE_CALLS_MAX"] == "1000"
