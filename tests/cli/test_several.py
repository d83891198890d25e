import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from servers import HOST, free_port
from trunkline.adapters.embedded.stores import EmbeddedStores
from trunkline.cli import several
from trunkline.cli.several import Place
from trunkline.config import settings
from trunkline.config.settings import Settings
from trunkline.core.ids import PodName
from trunkline.errors import SettingsError
from trunkline.pod.http.listening import bind

STORES = EmbeddedStores("unix:///run/valkey.sock", "postgresql:///postgres")


def read(**given: str) -> Settings:
    return settings.load({f"TRUNKLINE_{name}": value for name, value in given.items()}, None)


def test_pods_are_named_by_number() -> None:
    """After the machine's own setting where it has one: names are a fleet's, not a machine's."""
    assert several.names(read(), 2) == ["pod-0", "pod-1"]
    assert several.names(read(POD_NAME="left"), 2) == ["left-0", "left-1"]
    with pytest.raises(SettingsError, match=r"TRUNKLINE_POD_NAME: a+-11 would be too long"):
        several.names(read(POD_NAME="a" * 61), 12)


def test_internal_ports_follow_one_another() -> None:
    """So that who scrapes them knows them; 0 is any."""
    assert several.internal_ports(read(INTERNAL_PORT="9000"), 3) == [9000, 9001, 9002]
    assert several.internal_ports(read(INTERNAL_PORT="0"), 2) == [0, 0]
    for given in ({"PORT": "9001", "INTERNAL_PORT": "9000"}, {"INTERNAL_PORT": "65534"}):
        with pytest.raises(SettingsError, match="TRUNKLINE_INTERNAL_PORT: 3 pods take the ports"):
            several.internal_ports(read(**given), 3)


def test_everybody_has_a_port_of_its_own_before_anything_starts() -> None:
    """Those that settings name, and others for what only the ingress asks."""
    first = free_port()
    given = read(HOST=HOST, PORT="0", INTERNAL_PORT=str(first))
    with several.places(given, 1) as held:
        (pod,) = held.pods
        assert (pod.name, pod.internal_port) == ("pod-0", first)
        assert len({held.port, held.private_port, pod.public_port, pod.internal_port}) == 4


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9"),
        ("0.0.0.0", "http://127.0.0.1:9"),
        ("::", "http://[::1]:9"),
        ("::1", "http://[::1]:9"),
        ("pod.lan", "http://pod.lan:9"),
    ],
)
def test_a_pod_is_asked_where_it_listens(host: str, url: str) -> None:
    """An address that means all of them is none to ask at."""
    assert Place(PodName("pod-0"), 8, 9, host).backend.internal_url == url


def test_a_pod_runs_with_our_settings_but_for_its_own() -> None:
    """Stores that the user named are the user's; others are those that were started."""
    place = Place(PodName("pod-1"), 8, 9, HOST)

    def environ(**given: str) -> Mapping[str, str]:
        return several.pod_program(read(**given), place, Path("x.env"), STORES).environ

    own = environ()
    assert own["PATH"] == os.environ["PATH"]
    assert {name: own[f"TRUNKLINE_{name}"] for name in ("POD_NAME", "PORT", "INTERNAL_PORT")} == {
        "POD_NAME": "pod-1",
        "PORT": "8",
        "INTERNAL_PORT": "9",
    }
    assert own["TRUNKLINE_REDIS_URL"] == STORES.redis_url
    assert own["TRUNKLINE_DATABASE_URL"] == STORES.database_url
    named = environ(REDIS_URL="redis://elsewhere")
    assert "TRUNKLINE_REDIS_URL" not in named  # It is in the environment or file that we got.
    reached = environ(INTERNAL_URL="http://10.0.0.7:8081")["TRUNKLINE_INTERNAL_URL"]
    assert reached == "http://10.0.0.7:9"  # The machine's address, and the pod's own port.
    assert "TRUNKLINE_INTERNAL_URL" not in own
    program = several.pod_program(read(), place, Path("x.env"), STORES)
    assert list(program.command[-3:]) == ["pod", "--env-file", "x.env"]


def test_a_port_that_is_taken_is_told_before_anything_starts() -> None:
    """The ingress's, and each pod's."""
    with bind(HOST, 0, "TEST_PORT") as bound:
        taken = str(bound.getsockname()[1])
        given = read(HOST=HOST, PORT=taken, INTERNAL_PORT="0")
        with pytest.raises(SettingsError, match="TRUNKLINE_PORT: cannot"), several.places(given, 2):
            pytest.fail("it was free")
        given = read(HOST=HOST, PORT="0", INTERNAL_PORT=str(int(taken) - 1))
        with pytest.raises(SettingsError, match="INTERNAL_PORT: cannot"), several.places(given, 2):
            pytest.fail("it was free")
