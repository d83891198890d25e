from chains import CALL, OTHER_CALL
from trunkline.adapters.redis.keys import FLEET_KEYS, PREFIX, call_key, facts_key


def test_every_key_is_ours_and_of_one_call() -> None:
    """A store may be shared with others: our keys share a prefix, and no two are alike."""
    keys = {key(call) for key in (call_key, facts_key) for call in (CALL, OTHER_CALL)}
    assert len(keys) == 4
    assert all(key.startswith(PREFIX) for key in keys)


def test_the_fleets_keys_are_ours_and_no_two_are_alike() -> None:
    """The scripts know them by their place."""
    assert len(set(FLEET_KEYS)) == len(FLEET_KEYS)
    assert all(key.startswith(PREFIX) for key in FLEET_KEYS)
