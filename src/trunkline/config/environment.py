"""Reading the environment, `.env` and the files that hold secrets."""

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import dotenv

FILE_SUFFIX: Final = "_FILE"

SECRET_BYTES_MAX: Final = 64 * 1024
"""A longer file is not a secret's: refused unread."""

_SERVICE_LINK: Final = re.compile(r".*_(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)")
"""What Kubernetes sets for each Service beside a pod."""


def read(
    environ: Mapping[str, str], env_file: Path | None = None
) -> tuple[dict[str, str], list[str]]:
    """What is set, `environ` before `env_file`, empty values left out; and what is wrong."""
    given: dict[str, str] = {}
    faults: list[str] = []
    if env_file is not None and env_file.is_file():
        try:
            # Not interpolated: a password may hold a $.
            values = dotenv.dotenv_values(env_file, interpolate=False, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{env_file}: cannot be read ({_reason(error)}); expected UTF-8 text")
        else:
            given = {name: value for name, value in values.items() if value}
    given |= {name: value for name, value in environ.items() if value}
    return given, faults


def secret(given: Mapping[str, str], name: str) -> tuple[str | None, str | None]:
    """A secret from its variable or from the file that NAME_FILE names; and what is wrong."""
    file_name = name + FILE_SUFFIX
    path = given.get(file_name)
    if path is None:
        return given.get(name), None
    if name in given:
        return None, f"{file_name}: expected either {name} or {file_name}, not both"
    try:
        with Path(path).open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
        value = content.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        return None, f"{file_name}: expected a readable file with the secret ({_reason(error)})"
    if not value or len(content) > SECRET_BYTES_MAX:
        size = "empty" if not value else f"over {SECRET_BYTES_MAX} bytes"
        return None, f"{file_name}: expected a file with the secret, and it is {size}"
    return value, None


def unknown(given: Mapping[str, str], prefix: str, known: Collection[str]) -> tuple[str, ...]:
    """A line for each variable with the prefix that nothing reads, with what may be meant."""
    lines = []
    for name in sorted(given):
        if not name.startswith(prefix) or name in known:
            continue
        if _SERVICE_LINK.fullmatch(name) or given[name].startswith(("tcp://", "udp://")):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        hint = f"; did you mean {near[0]}?" if near else ""
        lines.append(f"{name[:80]}: no such setting, ignored{hint}")
    return tuple(lines)


def _reason(error: Exception) -> str:
    """Without the error's own text: it may quote what was read."""
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or type(error).__name__
