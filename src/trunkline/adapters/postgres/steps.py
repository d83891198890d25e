"""The schema's steps as statements, by Alembic."""

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def sql(folder: Path, before: str) -> str:
    """The statements that lead from a revision to the newest."""
    text = io.StringIO()
    command.upgrade(_config(folder, text), f"{before}:head", sql=True)
    return text.getvalue()


def chain(folder: Path) -> list[str]:
    """Every revision as the steps name each other, newest first."""
    found = ScriptDirectory.from_config(_config(folder, io.StringIO()))
    return [step.revision for step in found.walk_revisions()]


def _config(folder: Path, output: io.StringIO) -> Config:
    config = Config(output_buffer=output, stdout=io.StringIO())
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
