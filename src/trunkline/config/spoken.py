"""What the config wants to have as audio: each agent's fallback script and fillers."""

from collections.abc import Iterator
from dataclasses import dataclass

from trunkline.config.schema import Agent, Config
from trunkline.config.tree import Place


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text that callers hear as a recording. `clip` is the name of its files."""

    agent: str
    place: Place
    clip: str
    text: str
    voice: str
    language: str | None

    @property
    def key(self) -> str:
        """Where it stands under its agent, for people."""
        key, *index = self.place[2:]
        return f"{key}[{index[0]}]" if index else str(key)


def script_clip(agent: str) -> str:
    """The name of the files that hold an agent's fallback script."""
    return f"{agent}-fallback"


def filler_clip(agent: str, index: int) -> str:
    """The name of the files that hold one of an agent's fillers, counted from 0."""
    return f"{agent}-filler-{index + 1}"


def spoken(config: Config) -> Iterator[Spoken]:
    """Every text of the file that is to be a recording, in the file's order."""
    for name, agent in config.agents.items():
        yield from of_agent(name, agent)


def of_agent(name: str, agent: Agent) -> Iterator[Spoken]:
    """An agent's own texts: its script, then its fillers."""
    place: Place = ("agents", name)
    if agent.fallback_script is not None:
        at = (*place, "fallback_script")
        clip = script_clip(name)
        yield Spoken(name, at, clip, agent.fallback_script, agent.voice, agent.language)
    for index, text in enumerate(agent.fillers):
        at_filler = (*place, "fillers", index)
        clip = filler_clip(name, index)
        yield Spoken(name, at_filler, clip, text, agent.voice, agent.language)
