"""Promises kept, broken, or not proven."""

from loadtest.samples import call, counts, totals, turn, way
from trunkline.loadtest.figures import Call, Hole
from trunkline.loadtest.totals import totals_of
from trunkline.loadtest.verdict import Limits, Outcome, Verdict, promises_of, verdict_of


def judged(calls: list[Call], *, own_late: float = 0.5, lag_ms: float | None = 5.0) -> Verdict:
    found = totals(calls, own_late=own_late, lag_ms=lag_ms)
    return verdict_of(found, promises_of(found, Limits()), Limits())


def test_kept_says_what_was_not_measured() -> None:
    """Exit code 0, and nobody takes silence for proof."""
    verdict = judged([call(0)])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.KEPT, 0)
    assert verdict.text == "all promises kept (5 measured, 4 not measured)"


def test_each_promise_can_break() -> None:
    """Exit code 1, and the line names what was found."""
    for calls, told in (
        ([call(0, failed="no sound was heard")], "1 of 1 calls failed"),
        ([call(0, holes=[Hole(3.0, 80.0)])], "replies without a hole: 1 holes"),
        ([call(0, way=way(crossed=1))], "0 lost, 0 doubled, 2 crossed"),
        ([call(0, turns=[turn(missed=True)])], "1 of 1 turns missed"),
        ([call(0, false_turns=2)], "2 false turns"),
    ):
        verdict = judged(calls)
        assert (verdict.outcome, verdict.exit_code) == (Outcome.BROKEN, 1)
        assert told in verdict.text
    assert "p99 50.0 ms" in judged([call(0)], lag_ms=50.0).text


def test_added_latency_is_judged_each_way() -> None:
    """At the limit that was given."""
    found = totals_of([call(0)], counts(30.0), counts(3.0), counts(0.5), None)
    by_name = {promise.name: promise.kept for promise in promises_of(found, Limits())}
    assert by_name["added to audio, caller to model"] is False
    assert by_name["added to audio, model to caller"] is True
    relaxed = promises_of(found, Limits(added_ms=40.0))
    assert all(promise.kept is not False for promise in relaxed)


def test_what_looks_broken_while_the_generator_is_late_proves_nothing() -> None:
    """It may be its own fault; what was seen is told all the same."""
    bad = judged([call(0, failed="no sound")], own_late=9.0)
    assert (bad.outcome, bad.exit_code, bad.generator_late) == (Outcome.UNPROVEN, 1, True)
    assert bad.text.startswith("not proven: the load generator itself was late (p99 ")
    assert "seen: calls carried from answer to end: 1 of 1 calls failed" in bad.text


def test_promises_kept_in_spite_of_a_late_generator_are_kept() -> None:
    """Its lateness only makes the pod look worse; but beyond a frame it was another load."""
    good = judged([call(0)], own_late=9.0)
    assert (good.outcome, good.exit_code) == (Outcome.KEPT, 0)
    assert "though the load generator itself was late" in good.text
    assert judged([call(0)], own_late=25.0).outcome is Outcome.UNPROVEN


def test_no_call_is_no_proof() -> None:
    """Ctrl-C before the first call was over."""
    verdict = judged([])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.UNPROVEN, 1)
    assert "nothing measured" in verdict.text
