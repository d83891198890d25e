"""Doors to models: one for each of a list, with a pool that fits its place."""

from pathlib import Path

from pydantic import SecretStr

from trunkline.config import prices
from trunkline.config.file import read
from trunkline.config.settings import load
from trunkline.pod.compose_doors import SPARE_SIZE, ModelLimits, doors_of, model_id, models_of
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


def test_agents_that_share_a_key_share_its_limit() -> None:
    """Wherever it is stated: with another agent, or under the name of another variable."""
    stated = CONFIG.replace(
        "{name: one}, {name: two, key", "{name: one, sessions_max: 40}, {name: two, key"
    )
    stated = stated.replace("{name: three}", "{name: two, key_env: SAME, sessions_max: 3}")
    stated = stated.replace("key_env: KEY}", "key_env: KEY, sessions_max: 10}")
    file, settings = read(stated.encode(), Path("trunkline.yaml")), load(ENVIRON, None)
    named = {**NAMED, "SAME": NAMED["KEY"]}
    limits, agents = ModelLimits(file, settings, named), file.config.agents
    assert [limit.calls_max for limit in limits.of(agents["first"])] == [38, 2]
    assert limits.of(agents["second"]) == limits.of(agents["first"])
    assert [limit.calls_max for limit in limits.of(agents["third"])] == [None]
    doors = doors_of(settings, file, named, prices.load(None), Metrics(), logs.get_logger())
    assert [door.limits.warm_within for door in doors.values()] == [40, 3, None]


def test_the_settings_own_model_is_the_one_of_that_name() -> None:
    """An agent without a list shares its door with one that names it."""
    file = read(CONFIG.replace("name: one", "name: usual").encode(), Path("trunkline.yaml"))
    settings = load(ENVIRON, None)
    doors = doors_of(settings, file, NAMED, prices.load(None), Metrics(), logs.get_logger())
    assert [door.model for door in doors.values()] == ["usual", "two", "three"]
