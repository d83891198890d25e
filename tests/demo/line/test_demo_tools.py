"""The demo's tools answer what its callers are told."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from trunkline.demo import callers

FOLDER = Path(callers.__file__).with_name("line")


@pytest.fixture
def tools() -> ModuleType:
    """As the pod finds them: beside the config file."""
    spec = importlib.util.spec_from_file_location("demo_tools", FOLDER / "demo_tools.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("find_appointments", {"free": ["tomorrow at ten"]}),
        ("book_appointment", {"booked": "tomorrow at ten"}),
        ("check_stock", {"in_stock": True}),
        ("find_prices", {"price": "ninety dollars"}),
    ],
)
def test_a_tool_answers_what_a_model_can_read(tools: ModuleType, name: str, answer: object) -> None:
    """JSON, whatever arguments the model makes up."""
    found = asyncio.run(getattr(tools, name)(anything="at all"))
    assert msgspec.json.decode(msgspec.json.encode(found)) == answer
