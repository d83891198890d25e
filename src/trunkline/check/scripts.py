"""Fallback scripts: whether what a caller shall hear is there as audio."""

from collections.abc import Callable, Sequence

from trunkline.check.ground import Ground
from trunkline.check.items import Item, ok, warn
from trunkline.config.file import ConfigFile

Lacking = Callable[[ConfigFile], Sequence[str]]
"""The scripts of a config whose audio is missing or older than their text, a few words each."""


def check_audio(ground: Ground, lacking: Lacking | None) -> list[Item]:
    """An item for each script without its audio. Without `lacking` nothing is rendered at all."""
    if ground.file is None or lacking is None:
        return []
    scripts = sum(agent.fallback_script is not None for agent in ground.file.config.agents.values())
    missing = lacking(ground.file)
    if not missing:
        return [ok("fallback audio", f"{scripts} scripts have it")]
    return [warn("fallback audio", text, "run `trunkline voice render`") for text in missing]
