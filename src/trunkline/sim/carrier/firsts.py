"""What a caller hears first on a stream: any sound, and the agent's own voice."""

from typing import Final

from trunkline.sim import timemark
from trunkline.sim.carrier.playqueue import BYTES_PER_S
from trunkline.sim.speech import is_loud

FRAME_BYTES: Final = timemark.FRAME_BYTES


class FirstSounds:
    """Looked for in the audio as it comes, until both are found.

    The agent is known by the model's marks of time: a filler of the pod's own has none.
    """

    __slots__ = ("_marked", "agent_at", "is_done", "sound_at")

    def __init__(self, *, marked: bool) -> None:
        """Without marks only the first sound can be told."""
        self.sound_at: float | None = None
        self.agent_at: float | None = None
        self.is_done = False
        self._marked = marked

    def came(self, audio: bytes, waiting_bytes: int, now: float) -> None:
        """The server sent audio; so much waits to be played before it."""
        begins = now + waiting_bytes / BYTES_PER_S
        for at in range(0, len(audio), FRAME_BYTES):
            frame = audio[at : at + FRAME_BYTES]
            if not is_loud(frame):
                continue
            plays = begins + at / BYTES_PER_S
            if self.sound_at is None:
                self.sound_at = plays
            if self._marked and self.agent_at is None and timemark.read(audio) is not None:
                self.agent_at = plays
            break
        agent = self.agent_at is not None or not self._marked
        self.is_done = agent and self.sound_at is not None

    def cleared(self, now: float) -> None:
        """What has not been played by now never is."""
        if self.sound_at is not None and self.sound_at >= now:
            self.sound_at, self.is_done = None, False
        if self.agent_at is not None and self.agent_at >= now:
            self.agent_at, self.is_done = None, False
