"""Which of our own clips a caller hears: the script when no model can be had, and fillers.

The user's own audio comes first, Trunkline's (`voice/` beside this module) stands in for it.
What is played is always what the config says now: a clip of other words is never taken for it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from trunkline.call.plan import Clip

LANGUAGE: Final = "en"
"""What callers hear of ours if we have nothing in their agent's language."""

SCRIPT: Final = "fallback"
FILLER: Final = "filler"


class Voices:
    """Clips by the names of their files: the user's, and ours (`en-fallback`, `en-filler-1`…).

    `own` holds no clip whose words are not known to be those of its text.
    """

    def __init__(self, own: Mapping[str, Clip], ours: Mapping[str, Clip]) -> None:
        self._own = own
        self._ours = ours
        # The user's stand over ours, and among them the first by name.
        clips = [*ours.values(), *(own[name] for name in sorted(own, reverse=True))]
        self._by_words = {words(clip.text): clip for clip in clips}

    def find(self, name: str, text: str) -> Clip | None:
        """The clip of this name, if it says this text; else any that does, the user's first."""
        named = self._own.get(name)
        if named is not None and words(named.text) == words(text):
            return named
        return self._by_words.get(words(text))

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
        return self._ours[f"{self._known(language)}-{SCRIPT}"]

    def our_fillers(self, language: str | None) -> tuple[Clip, ...]:
        """The fillers that come with Trunkline, in this language if we have them."""
        start = f"{self._known(language)}-{FILLER}-"
        return tuple(clip for name, clip in sorted(self._ours.items()) if name.startswith(start))

    def _known(self, language: str | None) -> str:
        spoken = (language or LANGUAGE).partition("-")[0]
        return spoken if f"{spoken}-{SCRIPT}" in self._ours else LANGUAGE


def words(text: str) -> str:
    """What of a text is heard: not how it is broken into lines."""
    return " ".join(text.split())
