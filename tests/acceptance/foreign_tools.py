"""Tools that fail in many ways, each with a canary in its text."""

import asyncio
import gc
import logging
import threading
from typing import Final, cast

from trunkline.call.events import Event
from trunkline.pod.runner import CallRunner
from trunkline.pod.tools.python import CURRENT_RUN

TEXT: Final = "canary_of_a_tool"


class Unusual(BaseException):
    """Passes every `except Exception`."""


class Loose:
    """Fails when nobody can catch it."""

    def __del__(self) -> None:
        raise RuntimeError(TEXT)


class Strange:
    """What no call can make sense of."""

    def __repr__(self) -> str:
        return TEXT


def leak(words: str = "") -> dict[str, str]:
    """The canary is the output."""
    return {"output": TEXT, "words": words}


def explode(**_arguments: str) -> str:
    """In a thread."""
    raise RuntimeError(TEXT)


async def explode_soon(**_arguments: str) -> str:
    """On the loop."""
    raise RuntimeError(TEXT)


async def pass_by(**_arguments: str) -> str:
    """Past what others catch."""
    raise Unusual(TEXT)


def complain(**_arguments: str) -> str:
    """To a log of its own."""
    log = logging.getLogger("users.tool")
    log.error("there is no %s", TEXT)
    log.error(TEXT, exc_info=RuntimeError(TEXT))
    return "done"


def fail_elsewhere(**_arguments: str) -> str:
    """In a thread of its own, and in an object that is put away."""
    thread = threading.Thread(target=explode, name=TEXT)
    thread.start()
    thread.join()
    Loose()
    return "done"


async def fail_later(**_arguments: str) -> str:
    """In a callback and in a task that nobody waits for."""
    loop = asyncio.get_running_loop()
    loop.call_soon(explode)
    task = loop.create_task(explode_soon(), name=TEXT)
    await asyncio.wait([task])
    del task
    gc.collect()
    return "done"


async def break_the_call(**_arguments: str) -> str:
    """Do to the call what no code of ours does: a bug at its root."""
    call = CURRENT_RUN.get().call
    for found in gc.get_objects():
        if isinstance(found, CallRunner) and found.call == call:
            found.feed(cast("Event", Strange()))
    return "done"
