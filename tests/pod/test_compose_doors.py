"""Doors to models: one for each of a list, with a pool that fits its place."""

from pathlib import Path

from pydantic import SecretStr

from trunkline.config import prices
from trunkline.config.file import read
from trunkline.config.settings import load
from trunkline.pod.compose_doors import SPARE_SIZE, doors_of, model_id, models_of
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics

CONFIG = """
agents:
  first: {instructions: You answer., models: [{name: one}, {name: two, key_env: KEY}]}
  second: {instructions: You answer., models: [{name: one}, {name: three}]}
  third: {instructions: You answer.}
numbers:
  "*": {agent: first}
"""
ENVIRON = {"TRUNKLINE_REALTIME_API_KEY": "sk-usual", "TRUNKLINE_REALTIME_MODEL": "usual"}
NAMED = {"KEY": SecretStr("sk-two")}


def test_each_model_has_one_door() -> None:
    """Whoever is asked first has a pool; the second choices keep one warm session."""
    file, settings = read(CONFIG.encode(), Path("trunkline.yaml")), load(ENVIRON, None)
    doors = doors_of(settings, file, NAMED, prices.load(None), Metrics(), logs.get_logger())
    assert [door.model for door in doors.values()] == ["one", "two", "three", "usual"]
    sizes = {door.model: door.size for door in doors.values()}
    full = settings.pool_size
    assert sizes == {"one": full, "two": SPARE_SIZE, "three": SPARE_SIZE, "usual": full}
    assert not any("sk-" in name for name in doors)


def test_a_rotated_key_is_another_door() -> None:
    """Its sessions are of another account, perhaps."""
    file, settings = read(CONFIG.encode(), Path("trunkline.yaml")), load(ENVIRON, None)
    _, two = models_of(file.config.agents["first"])
    before = model_id(two, settings, NAMED)
    assert before == model_id(two, settings, NAMED)
    assert before != model_id(two, settings, {"KEY": SecretStr("sk-next")})
