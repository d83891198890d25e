"""A bounded memory of names that were dealt with."""


class Recent:
    """The newest `size` keys; the oldest is forgotten for a new one.

    What arrives late about an item, a response or a tool is told by it from what is new. A peer
    that comes back to a key after `size` others is taken at its word.
    """

    __slots__ = ("_keys", "_size")

    def __init__(self, size: int) -> None:
        self._keys: dict[str, None] = {}
        self._size = size

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: str) -> bool:
        """Remember the key; False if it is remembered already."""
        if key in self._keys:
            return False
        if len(self._keys) >= self._size:
            del self._keys[next(iter(self._keys))]
        self._keys[key] = None
        return True

    def discard(self, key: str) -> None:
        """Forget the key, if it is remembered."""
        self._keys.pop(key, None)
