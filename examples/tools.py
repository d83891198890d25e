"""Python tools of the example: small, and the same every time. Yours may look anything up.

A tool is a function that takes what its `parameters` name and returns text, or anything that JSON
can say. It may be async; if not, it runs in a thread.
"""
# ruff: noqa: INP001 - it lies beside the config file, in no package

from typing import Final

STOCK: Final = {"garden hose": 14, "watering can": 3, "rain barrel": 0}

APPOINTMENTS: Final = {
    "monday": ["09:20", "11:40"],
    "tuesday": ["08:00", "14:20", "16:00"],
    "thursday": ["10:00"],
}


def check_stock(product: str) -> dict[str, object]:
    """How many of a product are left."""
    name = product.strip().lower()
    if name not in STOCK:
        return {"found": False, "products": sorted(STOCK)}
    return {"found": True, "product": name, "in_stock": STOCK[name]}


def find_appointments(day: str) -> dict[str, object]:
    """Times that are free on a day of the week."""
    return {"day": day, "free": APPOINTMENTS.get(day.strip().lower(), [])}


async def book_appointment(day: str, time: str, name: str) -> dict[str, object]:
    """Book a free time; `reference` is what the caller is told."""
    if time not in APPOINTMENTS.get(day.strip().lower(), []):
        return {"booked": False, "reason": "that time is not free"}
    initials = "".join(word[0].upper() for word in name.split())
    reference = f"{day[:2].upper()}{time.replace(':', '')}{initials}"
    return {"booked": True, "day": day, "time": time, "reference": reference}
