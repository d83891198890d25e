"""The root's part that knows what callers hear of our own: a config, a folder, and our clips."""

import base64
import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trunkline.adapters import voice_folder
from trunkline.adapters.voice_folder import REMEDY, Folder
from trunkline.call.plan import Clip
from trunkline.config.file import ConfigFile
from trunkline.config.spoken import filler_clip, script_clip, spoken
from trunkline.config.values import FILLERS_MAX
from trunkline.pod.voices import Voices

VOICE_FOLDER: Final = "voice"
"""Beside the config file: the clips that `trunkline voice render` makes, and the user's own."""


def beside(config: Path) -> Path:
    """The folder of clips that belongs to a config file, where its name is, not where it leads.

    Kubernetes mounts a file as a link into a folder that nothing else can be put into.
    """
    return config.parent / VOICE_FOLDER


def _clips(folder: Folder) -> dict[str, Clip]:
    return {
        name: Clip(name, base64.b64encode(each.audio).decode(), each.text)
        for name, each in folder.recordings.items()
    }


def _our_clips() -> Mapping[str, Clip]:
    with importlib.resources.as_file(importlib.resources.files("trunkline.pod") / "voice") as ours:
        read = voice_folder.read(ours)
    assert not read.faults, "the clips that come with Trunkline are whole"
    return _clips(read)


OUR_CLIPS: Final = _our_clips()
"""The clips that come with Trunkline, by the names of their files."""


class AgentVoices:
    """What each agent of a config has to play.

    To make one reads the folder `voice` beside the config file, some milliseconds for each clip:
    while calls go on, do it in a thread.
    `faults` has a line for each text that has no audio of its own, and for each broken clip.
    """

    def __init__(self, read: ConfigFile) -> None:
        self._config = read.config
        folder = Folder({}, {})
        if read.path is not None:
            folder = voice_folder.read(beside(read.path))
        self._voices = Voices(_clips(folder), OUR_CLIPS)
        self.faults = (*folder.faults.values(), *self._missing(folder))

    def script(self, agent: str) -> Clip:
        """What a caller of this agent hears when no model can be had."""
        found = self._config.agents[agent]
        return self._voices.script(script_clip(agent), found.fallback_script, found.language)

    def fillers(self, agent: str) -> tuple[Clip, ...]:
        """What a caller of this agent hears in turn while something takes long."""
        found = self._config.agents[agent]
        names = [filler_clip(agent, index) for index in range(FILLERS_MAX)]
        return self._voices.fillers(names, found.fillers, found.language)

    def _missing(self, folder: Folder) -> list[str]:
        lines = []
        for each in spoken(self._config):
            if each.clip in folder.faults or self._voices.find(each.clip, each.text) is not None:
                continue  # A clip that is there and broken has its line.
            wrong = "has changed since its audio was made"
            if each.clip not in folder.recordings:
                wrong = "has no audio"
            lines.append(f"agent {each.agent}: {each.key} {wrong}; {REMEDY}")
        return lines
