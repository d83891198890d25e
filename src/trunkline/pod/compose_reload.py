"""The config that new calls get, and how the next one takes its place. Part of the pod's root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trunkline.config import change
from trunkline.config.file import ConfigFile
from trunkline.config.source import Loaded, Source
from trunkline.core.retention import Retention
from trunkline.pod.directory import Directory
from trunkline.pod.door import Door
from trunkline.pod.doors import Doors
from trunkline.pod.reload import Reloader
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Ready:
    """A config that was read and checked: nothing can fail any more."""

    file: ConfigFile
    directory: Directory
    doors: Mapping[str, Door]
    """One for each of its models; those that the pod has already are not used."""


class LiveConfig:
    """What new calls get. Calls that live keep the plan they began with."""

    def __init__(
        self, first: Loaded, make: Callable[[Loaded], Ready], log: Log, metrics: Metrics
    ) -> None:
        """`make` raises SettingsError for a config that can't be used."""
        self._make = make
        self._log = log
        self._metrics = metrics
        self._ready = make(first)
        self._newest = self._ready.file.config.version
        self.doors = Doors(self._ready.doors)
        metrics.config_loaded(self._newest)

    def directory(self) -> Directory:
        """The present one."""
        return self._ready.directory

    def retention(self) -> Retention:
        """How long each tenant's calls are kept, as the present file has it."""
        return self._ready.file.config.retention()

    def watch(self, source: Source) -> Reloader[Ready] | None:
        """What has the file read again; None where there is no file."""
        if not source.is_file:
            return None
        return Reloader(
            changed=source.changed,
            prepare=lambda: self._make(source.load()),
            swap=self.swap,
            log=self._log,
            metrics=self._metrics,
        )

    def swap(self, ready: Ready) -> None:
        """From now on calls get this one."""
        before, after = self._ready.file.config, ready.file.config
        hints = [*ready.file.warnings]
        if (doubt := change.doubt(before, after, self._newest)) is not None:
            hints.append(doubt)
        self._ready = ready
        self._newest = max(self._newest, after.version)
        self.doors.want(ready.doors)
        self._metrics.config_loaded(after.version)
        self._log.info(LogName.CONFIG_LOADED, version=str(after.version))
        for hint in hints:
            self._log.warning(LogName.SETTING_DOUBTFUL, hint=hint)
