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


def unknown_choice(parameter: str, choices: Iterable[str]) -> str:
    """The model named something that this agent does not have."""
    known = ", ".join(sorted(choices)) or "none"
    return f"Not done: unknown {parameter}. Known: {known}."


def bad_digits(digits_max: int) -> str:
    """The model asked for tones that there are not."""
    return f"Not done: digits must be 1 to {digits_max} of 0-9, *, #, A-D, and w for a pause."
