"""Which of our own clips a caller hears: the script when no model can be had, and fillers.

The user's own audio comes first, Trunkline's (`voice/` beside this module) stands in for it.
What is played is always what the config says now: a clip of other words is never taken for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trunkline.call.plan import Clip

LANGUAGE: Final = "en"
"""What callers hear of ours if we have nothing in their agent's language."""

SCRIPT: Final = "fallback"
FILLER: Final = "filler"


@dataclass(frozen=True, slots=True)
class Voices:
    """Clips by the names of their files: the user's, and ours (`en-fallback`, `en-filler-1`…).

    `own` holds no clip whose words are not known to be those of its text.
    """

    own: Mapping[str, Clip]
    ours: Mapping[str, Clip]

    def find(self, name: str, text: str) -> Clip | None:
        """The clip of this name, if it says this text; else any that does, the user's first."""
        named = self.own.get(name)
        if named is not None and says(named, text):
            return named
        for clip in (*self.own.values(), *self.ours.values()):
            if says(clip, text):
                return clip
        return None

    def script(self, name: str, text: str | None, language: str | None) -> Clip:
        """An agent's fallback script as audio; without any of its text, ours."""
        ours = self.our_script(language)
        return self.find(name, ours.text if text is None else text) or ours

    def fillers(
        self, names: Sequence[str], texts: Sequence[str], language: str | None
    ) -> tuple[Clip, ...]:
        """An agent's fillers that have audio, in its order; if none has, ours.

        `names` are those of the agent's clips, enough for its texts and for ours.
        """
        ours = self.our_fillers(language)
        wanted = texts or [clip.text for clip in ours]
        found = [self.find(name, text) for name, text in zip(names, wanted, strict=False)]
        return tuple(clip for clip in found if clip is not None) or ours

    def our_script(self, language: str | None) -> Clip:
        """The script that comes with Trunkline, in this language if we have it."""
        return self.ours[f"{self._known(language)}-{SCRIPT}"]

    def our_fillers(self, language: str | None) -> tuple[Clip, ...]:
        """The fillers that come with Trunkline, in this language if we have them."""
        start = f"{self._known(language)}-{FILLER}-"
        return tuple(clip for name, clip in sorted(self.ours.items()) if name.startswith(start))

    def _known(self, language: str | None) -> str:
        spoken = (language or LANGUAGE).partition("-")[0]
        return spoken if f"{spoken}-{SCRIPT}" in self.ours else LANGUAGE


def says(clip: Clip, text: str) -> bool:
    """Whether these are the clip's words; how a text is broken into lines is not heard."""
    return clip.text.split() == text.split()
