"""What the machine itself tells the model: orders for one response, outputs of built-in tools."""

from collections.abc import Iterable
from typing import Final

ASK_IF_THERE: Final = (
    "The caller has been silent for a while. In the language of this call, ask in one short "
    "sentence whether they are still there, then wait."
)
SAY_GOODBYE: Final = (
    "The call ends now. In the language of this call, say goodbye in one short sentence. "
    "Ask nothing."
)
TIME_IS_UP: Final = (
    "The call has reached its longest duration and ends now. In the language of this call, say "
    "so kindly and say goodbye, in at most two short sentences. Ask nothing."
)
ANNOUNCE_TRANSFER: Final = (
    "In the language of this call, tell the caller in one short sentence that you are putting "
    "them through now. Ask nothing."
)
GO_ON: Final = (
    "The line was interrupted, and the caller did not hear the end of what you said last. In the "
    "language of this call, go on from where they stopped hearing you. Do not greet again."
)

GO_ON_AFTER_LOSS: Final = (
    "Your connection to this phone call was interrupted for a moment; the conversation so far is "
    "above, and its last words may be missing. In the language of this call, go on: answer what "
    "the caller said last, or ask them to say it again if you do not know it. Do not greet again."
)
GO_ON_AFTER_BREAK: Final = (
    "The phone line was interrupted for a few seconds: the caller heard nothing, and what they "
    "said meanwhile is lost. The conversation so far is above, your own words as far as they were "
    "heard. In the language of this call, go on from there: answer what the caller said last, or "
    "ask them to say it again if you do not know it. Do not greet again."
)
APOLOGISE: Final = (
    "The caller has just heard a recorded notice about a technical problem: apologise briefly."
)
SEEDED: Final = "[The phone call above is still going on. Do not greet again.]"
LINE_BROKE: Final = "[Here the phone line was interrupted for a few seconds; the call goes on.]"
LEFT_OUT: Final = "[The beginning of this phone call is left out here.]"
STILL_RUNNING: Final = "Still running: the result will follow."
OUTCOME_UNKNOWN: Final = (
    "Outcome unknown: the connection was interrupted. Check before you repeat it."
)

ENDING: Final = (
    "The call ends when your goodbye has been heard. If the caller speaks before, it goes on: "
    "then answer, and call this again when you are done."
)
NOT_ENDING: Final = "The call goes on: the caller is speaking. Listen and answer first."
TRANSFERRING: Final = "The caller is put through when your announcement has been heard."
HANDED_OFF: Final = "Done. You are now the agent whose instructions you have; go on with the call."
DIGITS_PLAYED: Final = "The tones are being played."
ALREADY_ENDING: Final = "Not done: the call is ending."
TOO_MANY_TOOLS: Final = "Not done: too many tools are running. Try again when one has finished."
BAD_ARGUMENTS: Final = "Not done: the arguments are not a JSON object of reasonable size."
CUT_OFF: Final = "Not done: the arguments were cut off. Call it again if it is still needed."
UNKNOWN_TOOL: Final = "Not done: there is no tool of this name."
CANCELLED: Final = "cancelled"


def greeting(words: str) -> str:
    """Have the agent open the call, or its part of it."""
    return (
        "Speak first. Say the following, in the language it is written in and as it is written, "
        f"then wait for the caller:\n{words}"
    )


def for_one_response(instructions: str, order: str) -> str:
    """Instructions of one response: they replace the session's, so these are repeated."""
    return f"{instructions}\n\n# Now\n{order}" if instructions else order


def keys_pressed(digits: str) -> str:
    """What the model reads when the caller used the keypad."""
    return f"[keys pressed: {' '.join(digits)}]"


def handed_over(former: str, present: str) -> str:
    """What a later session is told of a handoff."""
    return f"[Here the call was handed over from {former} to {present}.]"


def late_result(tool: str, output: str) -> str:
    """A tool that an earlier session called has returned."""
    return f"[The result of {tool}, which was still running:]\n{output}"


def unknown_choice(parameter: str, choices: Iterable[str]) -> str:
    """The model named something that this agent does not have."""
    known = ", ".join(sorted(choices)) or "none"
    return f"Not done: unknown {parameter}. Known: {known}."


def bad_digits(digits_max: int) -> str:
    """The model asked for tones that there are not."""
    return f"Not done: digits must be 1 to {digits_max} of 0-9, *, #, A-D, and w for a pause."
