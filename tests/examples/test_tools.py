import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from trunkline.config import file
from trunkline.config.schema import PythonTool

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.anyio


@pytest.fixture
def tools() -> ModuleType:
    """The module, by its file: it is in no package."""
    spec = importlib.util.spec_from_file_location("example_tools", EXAMPLES / "tools.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_config_names_functions_that_are_there(tools: ModuleType) -> None:
    """Each with the arguments that the model is told of."""
    config = file.load(EXAMPLES / "trunkline.yaml").config
    named = [tool for tool in config.tools.values() if isinstance(tool, PythonTool)]
    assert len(named) == 3
    for tool in named:
        module, _, name = tool.target.partition(":")
        assert module == "tools"
        properties = tool.parameters["properties"]
        assert isinstance(properties, dict)
        assert list(inspect.signature(getattr(tools, name)).parameters) == list(properties)
        assert tool.parameters["required"] == list(properties)


def test_stock(tools: ModuleType) -> None:
    """However the product is spelt; one that is unknown brings the list."""
    assert tools.check_stock(" Garden Hose ")["in_stock"] == 14
    assert tools.check_stock("rain barrel")["in_stock"] == 0
    assert "watering can" in tools.check_stock("tractor")["products"]


def test_free_appointments(tools: ModuleType) -> None:
    """By the day of the week."""
    assert tools.find_appointments("Monday")["free"] == ["09:20", "11:40"]
    assert tools.find_appointments("friday")["free"] == []


async def test_booking(tools: ModuleType) -> None:
    """A free time is booked, with a reference that is always the same."""
    booked = await tools.book_appointment("Tuesday", "14:20", "anna berg")
    assert booked == {"booked": True, "day": "Tuesday", "time": "14:20", "reference": "TU1420AB"}
    assert not (await tools.book_appointment("tuesday", "03:00", "anna berg"))["booked"]
