"""A pod that is killed: what its calls' journals have then, and the call at the next pod."""

from collections.abc import Iterable

from call.script import Script
from trunkline.call import so_far
from trunkline.call.machine import Call
from trunkline.call.plan import CallPlan
from trunkline.call.so_far import CallSoFar, Takeover
from trunkline.core import facts
from trunkline.core.facts import Fact, ResumeCause
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.record import SALT_BYTES, Entry, Head, after, link

CALL = CallSid("CA" + "7" * 32)
AWAY_S = 1.25
"""From the kill to the next pod's stream: the carrier's way to the next verb, and a webhook."""

RECEIVED = facts.CallReceived(
    "inbound", "+15550100001", "+15550100002", "desk", "clinic", "health", "pod-0"
)
RESUMED = facts.CallResumed(ResumeCause.POD_LOST, None, "pod-0", "pod-1", 8)


def journal(told: Iterable[tuple[float, Fact]], *, begun: float = 100.0) -> list[Entry]:
    """Facts and when, in seconds, as the journal's entries."""
    entries: list[Entry] = []
    head = Head()
    for at, fact in [(begun, RECEIVED), *told]:
        entry = link(
            CALL, head, fact, at_ms=round(1000 * at), epoch=Epoch(7), salt=b"s" * SALT_BYTES
        )
        entries.append(entry)
        head = after(entry)
    return entries


def read(*told: Fact) -> CallSoFar:
    """What a journal of these facts says, all of the same moment."""
    return so_far.read(journal([(100.0, fact) for fact in told]))


def kill(script: Script) -> list[tuple[float, Fact]]:
    """The call's pod is gone: only its facts are left, and nothing of this script is looked at."""
    script.wanted, script.got = [], []
    return script.journal


def taken_over(
    script: Script, plan: CallPlan, *, resumed: facts.CallResumed = RESUMED, away_s: float = AWAY_S
) -> Script:
    """The script's pod is killed now; the call at another one, whose stream is about to start."""
    told = kill(script)
    now = script.now + away_s
    takeover = Takeover(so_far.read(journal(told)), resumed, round(1000 * now))
    return Script(Call(plan, takeover), now=now, journal=[*told])
