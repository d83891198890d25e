from pathlib import Path

import pytest

from trunkline.cli import serve
from trunkline.config import settings
from trunkline.errors import SettingsError

ENOUGH = {
    "TRUNKLINE_PUBLIC_URL": "https://pod.example",
    "TRUNKLINE_TWILIO_AUTH_TOKEN": "token",
    "TRUNKLINE_REALTIME_API_KEY": "key",
    "TRUNKLINE_PORT": "0",
    "TRUNKLINE_INTERNAL_PORT": "0",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a .env, and an environment with enough."""
    monkeypatch.chdir(tmp_path)
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)


def test_a_pod_that_is_ready_says_where_and_what_to_enter_at_twilio() -> None:
    """A line for programs, then what a first user needs; the built-in agent is not left unsaid."""
    first, *more = serve.greeting(settings.load(ENOUGH, None), 8080, 8081).splitlines()
    assert first == "trunkline answers on port 8080; health, metrics and calls on port 8081"
    url = "https://pod.example/twilio"
    assert more == [
        f"webhooks for Twilio: {url}/voice for calls, {url}/status for their status",
        "TRUNKLINE_CONFIG is not set: one built-in agent answers every number",
    ]
    own = settings.load({**ENOUGH, "TRUNKLINE_CONFIG": "trunkline.yaml"}, None)
    assert len(serve.greeting(own, 8080, 8081).splitlines()) == 2


def test_a_pod_without_stores_of_its_own_needs_their_urls() -> None:
    """`up` does not: it starts them."""
    assert serve.read(None).settings.redis_url is None
    with pytest.raises(SettingsError) as told:
        serve.read(None, needs_stores=True)
    assert [line.partition(":")[0] for line in str(told.value).splitlines()] == [
        "TRUNKLINE_REDIS_URL",
        "TRUNKLINE_DATABASE_URL",
    ]


def test_the_config_file_and_the_secrets_it_names_are_read_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment or the file of settings; one that is missing is told by its place."""
    (tmp_path / "trunkline.yaml").write_text(
        "version: 1\n"
        "agents:\n"
        "  a: {instructions: hello, models: [{name: m, key_env: OTHER_KEY}]}\n"
        "numbers:\n"
        '  "*": {agent: a}\n'
    )
    monkeypatch.setenv("TRUNKLINE_CONFIG", "trunkline.yaml")
    with pytest.raises(SettingsError, match=r"trunkline.yaml:3:.*OTHER_KEY is not set"):
        serve.read(None)
    (tmp_path / ".env").write_text("OTHER_KEY=sk-other\n")
    assert serve.read(None).named["OTHER_KEY"].get_secret_value() == "sk-other"


def test_a_wrong_price_list_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its setting and its place."""
    (tmp_path / "mine.toml").write_text('as_of = 2026-01-02\nsource = "mine"\nmodels.m.text = 4\n')
    monkeypatch.setenv("TRUNKLINE_PRICES", "mine.toml")
    with pytest.raises(SettingsError, match=r"models\.m\.text: no such key"):
        serve.read(None)


def test_both_ports_are_open_before_a_store_is_started_and_closed_at_the_end() -> None:
    """What comes later may fail: a second start finds the ports free."""
    with serve.listening(serve.read(None)) as sockets:
        ports = [sockets.public.getsockname()[1], sockets.internal.getsockname()[1]]
        assert all(ports)
    assert sockets.public.fileno() == sockets.internal.fileno() == -1
