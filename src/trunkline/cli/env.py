"""Where a command's settings come from: the environment, and one file."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from trunkline.config import settings
from trunkline.config.settings import Settings
from trunkline.errors import SettingsError

DEFAULT: Final = Path(".env")

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        readable=False,  # We say it in a line.
        help="NAME=value lines, for what the environment does not set. Default: .env, if it is "
        "there.",
        show_default=False,
    ),
]


def read_settings(env_file: Path | None) -> Settings:
    """The settings of a command that was given `--env-file`, or was not.

    Raises:
        SettingsError: a line for each that is wrong, or for a file that was asked for in vain.
    """
    return settings.load(os.environ, file_of(env_file))


def file_of(env_file: Path | None) -> Path:
    """The file to read; it may be missing only if nobody asked for it.

    Raises:
        SettingsError: there is none of that name, or it is no file. `/dev/null` means none.
    """
    path = DEFAULT if env_file is None else env_file
    try:
        path.stat()
    except FileNotFoundError:
        if env_file is not None:
            raise SettingsError(f"--env-file: there is no {env_file}") from None
        return path
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    if env_file is not None and not (path.is_file() or str(path) == os.devnull):
        # A pipe too: it could be read once, and `up` reads twice.
        raise SettingsError(f"--env-file: {path} is no file; expected NAME=value lines")
    return path
