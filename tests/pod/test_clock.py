"""Tickets live by Redis time, whatever this machine's clock says."""

from trunkline.pod.clock import RedisClock


def test_redis_sets_a_clock_right_that_is_behind_or_ahead() -> None:
    """30 s off either way: after one answer of Redis the clock says what Redis would say."""
    wall = [1_000_000]
    clock = RedisClock(lambda: wall[0])
    assert clock.now_ms() == 1_000_000
    clock.set(1_030_000)
    assert clock.now_ms() == 1_030_000
    wall[0] += 500
    assert clock.now_ms() == 1_030_500
    clock.set(970_500)
    assert clock.now_ms() == 970_500
