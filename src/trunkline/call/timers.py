"""The waits of a call: when which one ends, and the earliest of all."""

from enum import StrEnum


class Timer(StrEnum):
    """What may be waited for; each at most once at a time."""

    __hash__ = str.__hash__  # An enum's own is written in Python, and asked for after every event.

    SETTINGS = "settings"
    """A session's word that it took its settings."""
    SCRIPT = "script"
    """A model, before the fallback script is played."""
    AWAY = "away"
    """A model, before the call fails."""
    ROLLOVER = "rollover"
    """The session's age; then its last moment."""
    PROBE = "probe"
    """A sign of life of a session that is silent."""
    DEAD_AIR = "dead_air"
    """A sound that is owed to the caller."""
    LONGEST_CALL = "longest_call"
    GOODBYE = "goodbye"
    """The last words, played to their end."""
    STREAM = "stream"
    """The stream after a lost one."""
    DIGITS = "digits"
    """The key after a key."""
    SPEECH = "speech"
    """The end of the caller's speech."""
    ANSWER = "answer"
    """The response that the model begins by itself after the caller's turn."""
    IDLE = "idle"
    RETRY = "retry"
    """The time before a refused or failed response is asked for again."""
    STALL = "stall"
    """A sign of life of the response under way."""
    FILLER = "filler"


class Timers:
    """Deadlines by name. `next` is the earliest, kept ready: it is asked for after every frame."""

    __slots__ = ("_at", "next")

    def __init__(self) -> None:
        self._at: dict[Timer, float] = {}
        self.next: float | None = None

    def __contains__(self, timer: Timer) -> bool:
        return timer in self._at

    def set(self, timer: Timer, at: float) -> None:
        """Wait until `at`; a wait of that name is moved."""
        self._at[timer] = at
        self.next = min(self._at.values())

    def cancel(self, timer: Timer) -> None:
        """Wait no longer, if at all."""
        if self._at.pop(timer, None) is not None:
            self.next = min(self._at.values(), default=None)

    def pop_due(self, now: float) -> Timer | None:
        """Take out the earliest wait that is over by now, if there is one."""
        if self.next is None or self.next > now:
            return None
        timer = min(self._at, key=self._at.__getitem__)
        self.cancel(timer)
        return timer

    def clear(self) -> None:
        """Wait for nothing."""
        self._at.clear()
        self.next = None
