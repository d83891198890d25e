"""The keys that a `<Gather>` collects."""

from trunkline.wire.twiml_reading import Gather

GATHER_DIGITS_MAX = 64
"""More keys than this are no entry: the collection ends."""


class Keys:
    """One collection, from the first prompt to its last key."""

    def __init__(self, gather: Gather) -> None:
        self._gather = gather
        self._digits = ""
        self._finished_by = ""

    def press(self, digit: str) -> bool:
        """Take a key; whether the collection is complete."""
        if digit and digit in self._gather.finish_on_key:
            self._finished_by = digit
            return True
        self._digits += digit
        limit = self._gather.num_digits or GATHER_DIGITS_MAX
        return len(self._digits) >= limit

    @property
    def result(self) -> tuple[tuple[str, str], ...] | None:
        """What `action` is told; None where nothing was pressed and it is not asked then."""
        if not self._digits and not self._finished_by and not self._gather.action_on_empty_result:
            return None
        return (("Digits", self._digits), ("FinishedOnKey", self._finished_by))
