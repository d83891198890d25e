"""What users might write as tools, faults included."""

import asyncio
import sys
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime

from trunkline.pod.tools.python import CURRENT_RUN

CANARY = "canary: 10.0.0.7, +15550100001"

gate = threading.Event()
"""Functions that hang wait for it."""

started: list[str] = []


@dataclass
class Slot:
    day: str
    at: datetime


def free_slots(day: str, count: int = 1) -> list[Slot]:
    return [Slot(day, datetime(2026, 1, 1, 9, tzinfo=UTC))] * count


async def free_slots_soon(day: str, count: int = 1) -> list[Slot]:
    await asyncio.sleep(0)
    return free_slots(day, count)


def anything(**arguments: object) -> dict[str, object]:
    return arguments


def say(text: str) -> str:
    return text


def who() -> dict[str, str]:
    run = CURRENT_RUN.get()
    return {
        "call": run.call,
        "key": run.idempotency_key,
        "thread": threading.current_thread().name,
    }


async def who_soon() -> dict[str, str]:
    return who()


def fail() -> None:
    raise LookupError(CANARY)


async def fail_soon() -> None:
    raise LookupError(CANARY)


def leave() -> None:
    sys.exit(CANARY)


async def leave_soon() -> None:
    sys.exit(CANARY)


class Unusual(BaseException):
    """What libraries raise that shall pass every `except Exception`."""


def raise_the_unusual() -> None:
    raise Unusual(CANARY)


async def raise_the_unusual_soon() -> None:
    raise Unusual(CANARY)


async def time_out_soon() -> None:
    raise TimeoutError(CANARY)


async def cancel_itself() -> None:
    raise asyncio.CancelledError(CANARY)


def hang() -> str:
    started.append(threading.current_thread().name)
    gate.wait()
    return "at last"


async def hang_soon() -> None:
    started.append("hang_soon")
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        started.append("hang_soon left")


async def ignore_its_cancellation() -> str:
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        return "so what"
    raise AssertionError


def give_object() -> object:
    return object()


def give_knot() -> list[object]:
    knot: list[object] = []
    knot.append(knot)
    return knot


def give_coroutine() -> Coroutine[object, object, None]:
    return hang_soon()


class Desk:
    @staticmethod
    def opens() -> str:
        return "at nine"

    async def __call__(self, day: str) -> str:
        await asyncio.sleep(0)
        return f"{day} at nine"


desk = Desk()
number = 5
