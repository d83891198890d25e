"""Folders for data of real stores."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")
ROOM_BYTES: Final = 2 << 30


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own; in memory where there is room."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    made = Path(tempfile.mkdtemp(prefix="trunkline-test-", dir=MEMORY if in_memory else None))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)
