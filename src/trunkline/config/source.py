"""The config file as something that is read again: when it has changed, and what it means then.

Files are looked at with `stat`, about once a second, by whoever asks `changed`. That sees what
notifications of the kernel miss: a file behind a network mount, and a ConfigMap, whose directory is
a symbolic link that is swapped. At one file it costs nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from trunkline.config import environment, file
from trunkline.config.file import ConfigFile
from trunkline.errors import SettingsError

Look = tuple[int, int, int, int] | None
"""Device, inode, time and size of what a path leads to; None if it leads nowhere."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config and the secrets that it names."""

    file: ConfigFile
    named: Mapping[str, SecretStr]


class Source:
    """Where a process's config comes from. One thread at a time asks it."""

    def __init__(
        self, path: Path | None, environ: Mapping[str, str], env_file: Path | None = None
    ) -> None:
        """Secrets are read from `environ`, then from `env_file` as it is then."""
        self._path = path
        self._environ = environ
        self._env_file = env_file
        self._loaded: dict[Path, Look] = {}
        """What was there when it was read: the config, and the files of its secrets."""
        self._looked: dict[Path, Look] = {}

    @property
    def is_file(self) -> bool:
        """Whether there is anything to be read again."""
        return self._path is not None

    def load(self) -> Loaded:
        """Read it, and its secrets, now.

        Raises:
            SettingsError: a line for each fault; the next `changed` is true when a file changes.
        """
        if self._path is not None:
            self._note(self._path)  # Before it is read: a change in between is seen later.
        config = file.load(self._path)
        given, faults = environment.read(self._environ, self._env_file)
        if faults:
            raise SettingsError("\n".join(faults))
        for path in _secret_files(config, given):
            self._note(path)
        return Loaded(config, config.resolve_secrets(given))

    def changed(self) -> bool:
        """Whether a file is another than the one that was read, and was so at the last look too.

        A file that somebody is writing changes from look to look, and is left alone.
        """
        looked = {path: look(path) for path in self._loaded}
        is_still, self._looked = looked == self._looked, looked
        return is_still and looked != self._loaded

    def _note(self, path: Path) -> None:
        self._loaded[path] = self._looked[path] = look(path)


def look(path: Path) -> Look:
    """What a path leads to now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _secret_files(config: ConfigFile, given: Mapping[str, str]) -> list[Path]:
    files = (given.get(name + environment.FILE_SUFFIX) for name in config.secret_names())
    return [Path(path) for path in files if path is not None]
