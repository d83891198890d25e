from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.fleet_places import NO_ORDINAL, Place, choose, newest, ordinal
from trunkline.core.ids import PodName


def test_a_pods_ordinal_is_the_number_at_the_end_of_its_name() -> None:
    """A name without one comes last."""
    assert ordinal(PodName("trunkline-12")) == 12
    assert ordinal(PodName("pod-007")) == 7
    assert ordinal(PodName("trunkline-x2k4z")) == NO_ORDINAL


def test_an_empty_fleet_fills_its_lowest_pod_first() -> None:
    """And then that and one more, evenly."""
    places = [Place(0, 3, 5)] * 3
    assert choose(places) == 0
    assert choose([Place(1, 3, 5), *places[1:]]) == 1
    assert choose([Place(3, 3, 5), Place(1, 3, 5), Place(0, 3, 5)]) == 2
    assert choose([Place(2, 3, 5), Place(1, 3, 5), Place(0, 3, 5)]) == 1


def test_load_is_even_among_pods_of_different_size() -> None:
    """A pod with twice the target carries twice the calls."""
    assert choose([Place(4, 10, 12), Place(3, 5, 6)]) == 0
    assert choose([Place(6, 10, 12), Place(2, 5, 6)]) == 1


def test_full_pods_are_passed_over() -> None:
    """Also beyond those that are needed; with no room anywhere there is no place."""
    assert choose([Place(2, 2, 2), Place(2, 2, 2), Place(0, 2, 2)]) == 2
    assert choose([Place(2, 5, 2), Place(2, 5, 2), Place(0, 5, 2), Place(0, 5, 2)]) == 2
    assert choose([Place(2, 2, 2)]) is None
    assert choose([]) is None


def test_a_preferred_revision_goes_first_if_it_has_room() -> None:
    """Else any has the call."""
    old, new = Place(0, 3, 5, "1"), Place(2, 3, 5, "2")
    assert choose([old, new], prefer="2") == 1
    assert choose([old, Place(5, 3, 5, "2")], prefer="2") == 0
    assert choose([old], prefer="2") == 0


def test_the_newest_revision_is_the_one_that_came_last() -> None:
    """An old one's pod that was started anew is still old."""
    pods = [Place(0, 1, 1, "2", 50), Place(0, 1, 1, "1", 10), Place(0, 1, 1, "1", 90)]
    assert newest(pods) == "2"
    assert newest([]) is None


@given(
    st.integers(1, 5),
    st.integers(0, 3),
    st.lists(st.integers(0, 9), max_size=60),
)
def test_load_stays_even_and_the_highest_pods_run_empty(
    target: int, spare: int, ends: list[int]
) -> None:
    """However calls come and go: never over a cap, none on pods that nobody needs."""
    cap, held = target + spare, [0] * 10
    for end in ends:
        if end % 3 == 0 and held[end]:
            held[end] -= 1
            continue
        calls = sum(held)
        at = choose([Place(one, target, cap) for one in held])
        if at is None:
            assert calls == 10 * cap
            continue
        needed = -(-calls // target) + 1
        assert at < needed
        assert held[at] == min(held[:needed])
        held[at] += 1
        assert held[at] <= cap
