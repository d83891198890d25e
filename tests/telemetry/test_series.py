import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from trunkline.core.facts import Outcome
from trunkline.telemetry.series import (
    OTHER,
    Counter,
    Gauge,
    Histogram,
    Label,
    Series,
    SeriesCollector,
)

COLOUR = Label("colour", ("red", "green"))


def shown(*series: Series) -> list[str]:
    registry = CollectorRegistry()
    registry.register(SeriesCollector(lambda: series))
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_a_counter_shows_every_cell_from_the_start() -> None:
    """A rate over a counter that was never zero would miss its first event."""
    counter = Counter("x_total", "X.", "x", COLOUR)
    assert shown(counter) == ['x_total{colour="red"} 0.0', 'x_total{colour="green"} 0.0']
    counter.add("green")
    counter.add("green", count=2)
    assert shown(counter)[1] == 'x_total{colour="green"} 3.0'


def test_a_counter_without_labels() -> None:
    """One cell, from the start."""
    counter = Counter("x_total", "X.", "x")
    counter.add()
    assert shown(counter) == ["x_total 1.0"]


def test_an_observer_observes_under_its_labels() -> None:
    """The same as asking each time."""
    histogram = Histogram("x_seconds", "X.", "seconds", (1.0, 2.0), COLOUR)
    observe = histogram.observer("green")
    observe(1.5)
    histogram.observe(0.5, "green")
    assert [line for line in shown(histogram) if "green" in line] == [
        'x_seconds_bucket{colour="green",le="1"} 1.0',
        'x_seconds_bucket{colour="green",le="2"} 2.0',
        'x_seconds_bucket{colour="green",le="+Inf"} 2.0',
        'x_seconds_count{colour="green"} 2.0',
        'x_seconds_sum{colour="green"} 2.0',
    ]


def test_a_counter_may_count_fractions_as_whole_numbers() -> None:
    """A tenth added ten times is one."""
    counter = Counter("x_total", "X.", "x", per=10)
    for _ in range(13):
        counter.add()
    assert shown(counter) == ["x_total 1.3"]


def test_a_counter_may_be_kept_elsewhere() -> None:
    """A hot path adds to an integer of its own; the scrape puts it here."""
    counter = Counter("x_total", "X.", "x", COLOUR)
    counter.put("red", count=7)
    assert shown(counter)[0] == 'x_total{colour="red"} 7.0'


@given(st.lists(st.text(max_size=20), max_size=200))
def test_nothing_a_peer_sends_makes_a_series(words: list[str]) -> None:
    """However many words come: the closed set, and `other`."""
    counter = Counter("x_total", "X.", "x", COLOUR)
    histogram = Histogram("y_seconds", "Y.", "seconds", (1.0,), COLOUR)
    for word in words:
        counter.add(word)
        histogram.observe(0.5, word)
    assert len(shown(counter)) <= 3
    assert len(shown(histogram)) <= 12
    assert sum(float(line.rpartition(" ")[2]) for line in shown(counter)) == len(words)


def test_a_word_outside_the_set_is_other() -> None:
    """It is counted all the same."""
    counter = Counter("x_total", "X.", "x", COLOUR)
    counter.add("+15550100001")
    assert shown(counter)[2] == f'x_total{{colour="{OTHER}"}} 1.0'


def test_a_member_of_an_enumeration_is_its_value() -> None:
    """Rooms count with their own words."""
    counter = Counter("x_total", "X.", "x", Label("outcome", ("failed",)))
    counter.add(Outcome.FAILED)
    assert shown(counter) == ['x_total{outcome="failed"} 1.0']


def test_a_gauge_is_read_at_scrape() -> None:
    """It has the value of that moment, and none while nobody is asked."""
    values = [1.0]
    gauge = Gauge("x", "X.", "x")
    assert shown(gauge) == []
    gauge.read_by(lambda: values[-1])
    assert shown(gauge) == ["x 1.0"]
    values.append(2.0)
    assert shown(gauge) == ["x 2.0"]


def test_a_gauge_by_label() -> None:
    """Each value of the set, zero where nothing is said; unknown ones are added up."""
    gauge = Gauge("x", "X.", "x", COLOUR)
    gauge.read_each_by(lambda: {"green": 2, "blue": 3, "black": 4})
    assert shown(gauge) == [
        'x{colour="red"} 0.0',
        'x{colour="green"} 2.0',
        'x{colour="other"} 7.0',
    ]


def test_a_histogram_counts_up_to_each_bound() -> None:
    """A bound belongs to its own bucket, as Prometheus has it."""
    histogram = Histogram("x_seconds", "X.", "seconds", (0.5, 1.0))
    for amount in (0.1, 0.5, 0.7, 5.0):
        histogram.observe(amount)
    assert shown(histogram) == [
        'x_seconds_bucket{le="0.5"} 2.0',
        'x_seconds_bucket{le="1"} 3.0',
        'x_seconds_bucket{le="+Inf"} 4.0',
        "x_seconds_count 4.0",
        "x_seconds_sum 6.3",
    ]


def test_our_own_mistakes_are_told() -> None:
    """A wrong number of labels, bounds out of order, a name without its suffix, a way back."""
    with pytest.raises(AssertionError):
        Counter("x_total", "X.", "x", COLOUR).add()
    with pytest.raises(AssertionError):
        Counter("x_total", "X.", "x").add(count=-1)
    with pytest.raises(AssertionError):
        Counter("x", "X.", "x")
    with pytest.raises(AssertionError):
        Histogram("x_seconds", "X.", "seconds", (1.0, 0.5))
    with pytest.raises(AssertionError):
        Gauge("x", "X.", "x", COLOUR).read_by(lambda: 0.0)
