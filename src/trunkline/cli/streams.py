"""Standard streams that are closed, full, or ASCII only: none may end a call or hide a word."""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path


def mend() -> None:
    """Have all three, whatever whoever started us closed, and let them take every character."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - as long as we live
        elif isinstance(stream, io.TextIOWrapper) and mode == "w":
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Tell whoever watches; if nobody does any more, calls matter more."""
    try:
        print(text, flush=True)
    except OSError:
        give_up_stdout()


def give_up_stdout() -> None:
    """What could not be written would be tried again at the exit, and change its code."""
    with suppress(OSError, ValueError):  # ValueError: it is no file.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
