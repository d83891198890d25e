"""A pod's name is one pod's: who has it is asked before it is taken."""

from typing import Final

from trunkline.core.fleet_states import Life
from trunkline.core.ids import CallSid
from trunkline.errors import SettingsError, StoreError
from trunkline.ports import Neighbours, PodAt, Roster

ASKED_MAX: Final = 3
"""So often it is asked, 200 ms each time: it may be busy, and two pods of one name are worse than a
late start. One that is gone refuses at once, or never answers."""

NO_CALL: Final = CallSid("CA" + "0" * 32)
"""It is asked what it knows of this one: any answer will do."""


async def check(me: Life, address: str, roster: Roster, neighbours: Neighbours) -> None:
    """See that no living pod has this name; `address` is where others reach this one.

    A pod that does not answer is taken for dead: its name is a new life's. So is one that is said
    to be at our own address, for the port is ours. Nothing is known while the store is away.

    Raises:
        SettingsError: the name is in use.
    """
    try:
        fleet = await roster.look()
    except StoreError:
        return
    for seen in fleet.pods:
        if seen.life.pod != me.pod or seen.life == me or seen.address == address:
            continue
        for _ in range(ASKED_MAX):
            if await neighbours.word(PodAt(seen.life, seen.address), NO_CALL) is not None:
                raise SettingsError(
                    f"TRUNKLINE_POD_NAME: {me.pod} is in use by the pod that answers at "
                    f"{seen.address}; end that one, or give this one another name"
                )
