"""This machine: folders, disk, open files, the functions of tools."""

import os
import resource
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

from trunkline.adapters.embedded.programs import postgres_folder, valkey_binary
from trunkline.check.ground import Ground
from trunkline.check.items import Item, Status, fail, of_lines, ok
from trunkline.config.schema import PythonTool
from trunkline.config.settings import Settings
from trunkline.errors import SettingsError
from trunkline.pod.tools import python

DISK_BYTES_LEAST: Final = 200 * 1024 * 1024
"""With less the embedded stores stop soon: PostgreSQL alone begins with 50 MB."""

DISK_BYTES_GOOD: Final = 2 * 1024 * 1024 * 1024
"""Some million calls' facts, and time to notice."""

FILES_PER_CALL: Final = 4
"""A media socket, two sessions while one rolls over, a tool's request."""

FILES_BESIDE: Final = 768
"""Both ports' other connections (512 of the public one), the stores', tools' kept ones, logs."""


def check_data_dir(ground: Ground) -> list[Item]:
    """Where the embedded stores live, if one is needed."""
    settings = ground.settings
    if settings is None or (settings.redis_url and settings.database_url):
        return []
    wanted = settings.data_dir.absolute()
    try:
        valkey_binary()
        postgres_folder(wanted / "postgres")
    except SettingsError as error:
        return of_lines(Status.FAIL, "data dir", str(error))
    except OSError:
        pass  # It is another user's: said below.
    there = next(folder for folder in (wanted, *wanted.parents) if folder.exists())
    if not there.is_dir():
        return [fail("data dir", f"{there} is no folder", "set TRUNKLINE_DATA_DIR to one")]
    if not os.access(there, os.W_OK | os.X_OK):
        why = f"{there} can't be written by this user"
        return [fail("data dir", why, "change its owner, or set TRUNKLINE_DATA_DIR")]
    return [of_disk(wanted, shutil.disk_usage(there).free)]


def of_disk(folder: Path, free: int) -> Item:
    """As `check_data_dir`, of free bytes that are given."""
    why = f"{folder} has {free / 1024**3:.1f} GiB free"
    if free >= DISK_BYTES_GOOD:
        return ok("data dir", why)
    status = Status.WARN if free >= DISK_BYTES_LEAST else Status.FAIL
    return Item(status, "data dir", why, "make room, or set TRUNKLINE_DATA_DIR to another disk")


def check_open_files(ground: Ground) -> list[Item]:
    """Whether a full pod may have all the files that it needs."""
    if ground.settings is None:
        return []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [of_open_files(ground.settings, soft, hard)]


def of_open_files(settings: Settings, soft: int, hard: int) -> Item:
    """As `check_open_files`, of limits that are given."""
    need = FILES_PER_CALL * settings.calls_max + settings.pool_size + FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= need:
        return ok("open files", f"{need} of {soft} needed for {settings.calls_max} calls")
    where = "" if hard == resource.RLIM_INFINITY or hard >= need else " (and -Hn: the hard limit)"
    return fail(
        "open files",
        f"{soft} allowed, {need} needed for {settings.calls_max} calls",
        f"raise `ulimit -n`{where}, LimitNOFILE in systemd, or lower TRUNKLINE_CALLS_MAX",
    )


def check_tools(ground: Ground) -> list[Item]:
    """Whether the functions of `python` tools can be imported. May take as long as they take."""
    if ground.file is None:
        return []
    tools = ground.file.config.tools.items()
    targets = {name: tool.target for name, tool in tools if isinstance(tool, PythonTool)}
    if not targets:
        return []
    folder = str(ground.file.folder)
    if folder not in sys.path:
        sys.path.append(folder)
    items: list[Item] = []
    with redirect_stdout(sys.stderr):  # What a module prints is none of our items.
        for name, target in targets.items():
            try:
                python.resolve(target)
            except SettingsError as error:
                items += of_lines(Status.FAIL, "tools", f"{name}: {error}")
    return items or [ok("tools", f"{len(targets)} functions found")]
