"""The TwiML that a call gets: its stream, what follows its end, what stands in for an agent."""

from collections.abc import Sequence
from typing import Final

import msgspec

from trunkline.core.facts import CallEnded, Outcome, TransferOrdered
from trunkline.core.record import Entry
from trunkline.pod.directory import Overflow
from trunkline.wire import twiml

DIAL_S_MAX: Final = 30
"""So long a person's phone rings before the next verb, which is the hang-up."""

VOICEMAIL_S_MAX: Final = 120
"""The longest message a caller may leave."""

HOLD_S: Final = 2
"""A caller who holds comes again after this."""

WAIT_S: Final = 1
"""A redirect that finds the journal away comes again after this."""


def overflow(action: Overflow) -> str:
    """What a caller gets when no agent can be had."""
    match action.action:
        case "dial":
            return twiml.dial(action.detail, caller_id=None, timeout_s=DIAL_S_MAX)
        case "voicemail":
            return twiml.voicemail(action.detail, max_length_s=VOICEMAIL_S_MAX, action=None)
        case "say":
            return twiml.say_then_hangup(action.detail, voice=None, language=action.language)
        case "hangup":
            return twiml.hangup()


def after_end(outcome: Outcome, transfer_number: str | None, action: Overflow) -> str:
    """What the redirect behind a stream gets once its call has ended here."""
    if outcome is Outcome.TRANSFERRED and transfer_number is not None:
        return twiml.dial(transfer_number, caller_id=None, timeout_s=DIAL_S_MAX)
    if outcome in (Outcome.FAILED, Outcome.OVERFLOWED, Outcome.ABANDONED):
        # Who was given up for want of a stream and asks all the same is still on the line.
        return overflow(action)
    return twiml.hangup()


def after_record(entries: Sequence[Entry], action: Overflow) -> str:
    """The same, read from the call's record."""
    number: str | None = None
    for entry in entries:
        if entry.kind == "transfer_ordered":
            number = msgspec.json.decode(entry.payload, type=TransferOrdered).number
        elif entry.kind == "call_ended":
            outcome = msgspec.json.decode(entry.payload, type=CallEnded).outcome
            return after_end(outcome, number, action)
    return twiml.hangup()


def stream(*, url: str, status_callback: str, ticket: str, resume_url: str) -> str:
    """Connect the call to a stream; whatever becomes of it, the resume address is asked next."""
    return twiml.connect_stream(
        url=url,
        status_callback=status_callback,
        parameters={"ticket": ticket},
        then_redirect=resume_url,
    )


def redirect(url: str) -> str:
    """Ask another address at once."""
    return twiml.redirect(url)


def wait_and_redirect(url: str) -> str:
    """Ask the same address again in a moment."""
    return twiml.pause_then_redirect(WAIT_S, url)


def hold(url: str) -> str:
    """No slot is free: the line rings on, unbilled, and the same address is asked again."""
    return twiml.pause_then_redirect(HOLD_S, url)


def hangup() -> str:
    """The call is over."""
    return twiml.hangup()


def reject() -> str:
    """Nobody answers this number."""
    return twiml.reject("rejected")
