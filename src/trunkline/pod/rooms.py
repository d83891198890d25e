"""A slot for a call, on the first of its agent's models that has room."""

from collections.abc import Mapping

from trunkline.core.ids import Epoch
from trunkline.core.slots import Full, ModelLimit, PodSlots, Reserved
from trunkline.pod.asked import Asked
from trunkline.pod.directory import Line
from trunkline.pod.surroundings import SessionDoor


class Rooms:
    """Tokens are the doors' to say, for they hear of them; all that is counted is the slots'."""

    def __init__(self, slots: PodSlots, doors: Mapping[str, SessionDoor]) -> None:
        self._slots = slots
        self._doors = doors

    def reserve(
        self, asked: Asked, line: Line, epoch: Epoch, now: float, model: str | None = None
    ) -> Reserved | Full:
        """A slot, or why there is none; a call that has one keeps it, whatever the models say.

        `model`, if the line has it, is the one that was found for the call elsewhere.
        """
        found = [limit for limit in line.models if limit.model == model]
        return self._slots.reserve(
            asked.call,
            epoch,
            now,
            direction=asked.direction,
            bounds=line.bounds,
            models=found or self.models(line),
        )

    def models(self, line: Line) -> list[ModelLimit] | None:
        """Those of the line's models that have tokens for one more call; None: none binds it."""
        if not line.models:
            return None
        return [limit for limit in line.models if self._has_tokens(limit.model)]

    def _has_tokens(self, model: str) -> bool:
        door = self._doors.get(model)
        # A config that was just swapped may have closed it: the search will tell.
        return door is None or door.has_room(self._slots.held_of(model=model))
