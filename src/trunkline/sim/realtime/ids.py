"""Names that a simulated session gives: never over 32 characters, no two sessions alike."""

from trunkline.wire.realtime.items import ID_CHARS_MAX

NAME_CHARS_MAX = 12
"""The longest session name: leaves room for a prefix and a count."""


class Ids:
    """Counts up under one session's name."""

    def __init__(self, name: str) -> None:
        assert 0 < len(name) <= NAME_CHARS_MAX
        self._name = name
        self._events = 0
        self._things = 0

    @property
    def session(self) -> str:
        """Of the session."""
        return f"sess_{self._name}"

    @property
    def conversation(self) -> str:
        """Of its default conversation."""
        return f"conv_{self._name}"

    def event(self) -> str:
        """Of the next server event."""
        self._events += 1
        return f"event_{self._name}_{self._events}"

    def item(self) -> str:
        """Of the next item."""
        return self._next("item")

    def response(self) -> str:
        """Of the next response."""
        return self._next("resp")

    def call(self) -> str:
        """Of the next function call."""
        return self._next("call")

    def _next(self, kind: str) -> str:
        self._things += 1
        made = f"{kind}_{self._name}_{self._things}"
        assert len(made) <= ID_CHARS_MAX
        return made
