"""The calls' time lines."""

from loadtest.samples import call, report, turn
from trunkline.loadtest.figures import Hole
from trunkline.loadtest.lifelines import ROWS_MAX, chosen, lifelines, placed
from trunkline.loadtest.timeline import Fault


def test_a_row_shows_what_a_call_was_like() -> None:
    """Set-up, speech, replies, holes, missed turns, its failure; the tooltip tells the figures."""
    odd = call(
        1,
        turns=[turn(), turn(6.0, missed=True)],
        holes=[Hole(4.0, 90.0)],
        failed="dropped: ended by agent",
    )
    made = lifelines(report([call(0), odd]))
    assert made is not None
    rows = list(made.iter("g"))
    assert len(rows) == 2
    assert [piece.get("class") for piece in rows[1]][1:] == [
        "life", "setup", "reply", "said", "reply", "missed", "hole", "failed",
    ]  # fmt: skip
    assert rows[1][0].text == (
        "call 2 (talk): 0.5 to 10.5 s, 2 turns, slowest answer 800 ms, 1 holes, "
        "dropped: ended by agent"
    )


def test_faults_are_bands_with_their_names() -> None:
    """Names that would overlap stand on lines of their own; none leaves the plot."""
    faults = [
        Fault(20.0, "model", "refuse", "", 10.0),
        Fault(21.0, "model", "reset"),
        Fault(59.0, "carrier", "no_stop", "", 5.0),
    ]
    assert [line for _, line in placed(faults, 60.0)] == [0, 1, 0]
    made = lifelines(report(faults=faults))
    assert made is not None
    names = [each.text for each in made.iter("text") if each.get("class") == "fault"]
    assert names == ["model.refuse, 20 to 30 s", "model.reset, 21 s", "carrier.no_stop, 59 to 64 s"]


def test_of_very_many_calls_the_faulty_ones_are_shown() -> None:
    """And others evenly, in order."""
    calls = [call(number, failed="x" if number == 777 else "") for number in range(1_000)]
    shown = [each.number for each in chosen(calls)]
    assert len(shown) == ROWS_MAX
    assert 777 in shown
    assert shown == sorted(shown)
    assert shown[0] < 20
    assert shown[-1] > 980


def test_without_calls_there_is_no_plot() -> None:
    """Ctrl-C at once."""
    assert lifelines(report(calls=())) is None
