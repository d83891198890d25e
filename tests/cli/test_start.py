from pathlib import Path

import pytest

from trunkline.cli import start
from trunkline.errors import SettingsError

pytestmark = pytest.mark.usefixtures("enough")


def test_a_pod_without_stores_of_its_own_needs_their_urls() -> None:
    """`up` does not: it starts them."""
    assert start.read(None).settings.redis_url is None
    with pytest.raises(SettingsError) as told:
        start.read(None, needs_stores=True)
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
        start.read(None)
    (tmp_path / ".env").write_text("OTHER_KEY=sk-other\n")
    assert start.read(None).named["OTHER_KEY"].get_secret_value() == "sk-other"


def test_a_wrong_price_list_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its setting and its place."""
    (tmp_path / "mine.toml").write_text('as_of = 2026-01-02\nsource = "mine"\nmodels.m.text = 4\n')
    monkeypatch.setenv("TRUNKLINE_PRICES", "mine.toml")
    with pytest.raises(SettingsError, match=r"models\.m\.text: no such key"):
        start.read(None)
