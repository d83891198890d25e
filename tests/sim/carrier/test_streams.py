"""The streams of one call."""

import pytest

from sim.carrier_bench import VOICE, Bench, connect, response, talking
from trunkline.sim.carrier.events import StreamClosed, StreamOpened
from trunkline.sim.carrier.faults import AfterLoss, Faults
from trunkline.sim.carrier.streams import REFUSED_END_S, STREAMS_MAX, Outcome, aftermath


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("wss://bot.example/media?ticket=1", 31920),
        ("ws://bot.example/media", 31922),
        ("https://bot.example/media", 31922),
    ],
)
def test_an_url_that_twilio_would_not_open_is_refused(url: str, code: int) -> None:
    """Nothing is opened; the code is counted, the stream callback says why."""
    document = response(
        f'<Connect><Stream url="{url}" statusCallback="https://bot.example/stream"/></Connect>'
    )
    bench = Bench({VOICE: document}).place(0.5)
    assert bench.opened == []
    assert bench.report.warnings == {code: 1}
    (form,) = bench.callbacks("/stream")
    assert form["StreamEvent"] == "stream-error"
    assert form["StreamError"].startswith(str(code))


def test_a_track_of_the_other_kind_is_refused() -> None:
    """31941."""
    document = response(
        '<Connect><Stream url="wss://bot.example/media" track="both_tracks"/></Connect>'
    )
    report = Bench({VOICE: document}).place(0.5).report
    assert 31941 in report.warnings or 12200 in report.warnings


def test_a_call_has_a_bound_on_its_streams() -> None:
    """A server that closes each at once runs out of them, and the call goes on as refused."""
    bench = talking(after="<Redirect>/next</Redirect>", next=connect("<Redirect>/next</Redirect>"))
    for _ in range(STREAMS_MAX + 5):
        if bench.opened[-1].stream not in bench.closed:
            bench.close(1000)
            bench.closed.append(bench.opened[-1].stream)
        bench.go(0.1)
    assert len(bench.opened) == STREAMS_MAX
    assert bench.report.warnings[31920] > 0


def test_a_stream_that_opens_after_the_hang_up_says_nothing() -> None:
    """Its close is already ordered."""
    bench = talking()
    bench.happen(StreamClosed(0, 1000)).go(0.1)
    assert bench.happen(StreamOpened(0)).events()[-1] != "start" or len(bench.opened) == 1
    assert len(bench.messages("start")) == 1


def test_the_aftermath_is_a_matter_of_switches() -> None:
    """What is documented has one outcome, the rest two."""
    faults = Faults(after_loss=AfterLoss.HANG_UP, after_loss_s=2.0, after_close_s=1.5)
    assert aftermath(Outcome.CLOSED, faults, has_more=True) == (AfterLoss.NEXT_VERB, 1.5)
    assert aftermath(Outcome.LOST, faults, has_more=True) == (AfterLoss.HANG_UP, 2.0)
    assert aftermath(Outcome.REFUSED, faults, has_more=True) == (AfterLoss.NEXT_VERB, 0.0)
    assert aftermath(Outcome.REFUSED, faults, has_more=False)[1] == REFUSED_END_S
