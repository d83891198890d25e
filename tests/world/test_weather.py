import random

from trunkline.world.weather import PODS, REDIS, Kind, faults_of, forecast


def test_the_forecast_is_the_seeds() -> None:
    """In order, within its time, and of the kinds that were wanted."""
    one = forecast(random.Random(1), 600, tuple(Kind))
    assert one == forecast(random.Random(1), 600, tuple(Kind))
    assert [squall.at_s for squall in one] == sorted(squall.at_s for squall in one)
    assert all(squall.at_s < 600 for squall in one)
    assert forecast(random.Random(1), 600, ()) == []
    assert {squall.kind for squall in forecast(random.Random(1), 600, [Kind.KILL])} == {Kind.KILL}


def test_no_pod_is_lost_while_redis_is_away() -> None:
    """What that costs is said, and was never promised."""
    for seed in range(50):
        squalls = forecast(random.Random(seed), 3600, tuple(Kind))
        for one in squalls:
            for other in squalls:
                if one.kind in PODS and other.kind in REDIS:
                    assert (
                        one.at_s >= other.at_s + other.for_s or other.at_s >= one.at_s + one.for_s
                    )


def test_some_calls_meet_a_carrier_at_fault() -> None:
    """Doubled webhooks, forged tickets, strangers."""
    rng = random.Random(1)
    faults = [faults_of(rng) for _ in range(200)]
    assert any(each.parameters for each in faults)
    assert any(each.replay_after_s for each in faults)
    assert len({each.duplicate_webhook for each in faults}) == 3
