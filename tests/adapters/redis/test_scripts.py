from pathlib import Path

import pytest

from trunkline.adapters.redis import scripts
from trunkline.adapters.redis.keys import FLEET_KEYS
from trunkline.adapters.redis.scripts import SETTINGS, fleet_args, told

FOLDER = Path(scripts.__file__).parent


def test_the_time_is_the_stores_unless_a_test_gives_one() -> None:
    """An empty argument asks the store."""
    assert told(None) == ""
    assert told(lambda: 1_767_225_600_000) == "1767225600000"


def test_the_common_script_counts_what_it_is_given() -> None:
    """Keys and arguments of all the fleet's scripts are spelt once on each side."""
    common = (FOLDER / "fleet.lua").read_text()
    given = f"FLEET_KEYS, FLEET_ARGS = {len(FLEET_KEYS)}, {len(fleet_args(None))}"
    assert given in common
    assert f"KEYS[{len(FLEET_KEYS)}]" in common
    assert f"KEYS[{len(FLEET_KEYS) + 1}]" not in common
    assert len(fleet_args(None)) == len(SETTINGS) + 1


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.lua")), ids=lambda path: path.name)
def test_a_script_says_what_it_is_given(path: Path) -> None:
    """Its head is its only documentation."""
    assert path.read_text().startswith("-- ")
