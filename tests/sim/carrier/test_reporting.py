"""A call's report, drawn from its machine."""

from sim.carrier_bench import VOICE, Bench, response, talking
from sim.carrier_bot import media
from trunkline.sim.caller import HangUp, Listen, Say
from trunkline.sim.carrier.reporting import report_of, transcript_of


def test_the_transcript_is_in_order() -> None:
    """Carrier's words, agent's words as they were heard, caller's words as they were said."""
    document = "<Say>One moment.</Say><Redirect>/next</Redirect>"
    bench = Bench(
        {
            VOICE: response(document),
            "https://bot.example/next": response(
                '<Connect><Stream url="wss://bot.example/media"/></Connect>'
            ),
        },
        [Listen(until_silence_ms=2000), Say("hello"), Listen(100), HangUp()],
    ).place(1.0)
    bench.server(media(bench.stream_sid, bytes([5]) * 1600)).go(2.5)
    bench.server(media(bench.stream_sid, bytes([6]) * 1600)).go(2.0)
    assert transcript_of(bench.call) == (
        ("carrier", "One moment."),
        ("agent", "5"),
        ("caller", "hello"),
        ("agent", "6"),
    )


def test_a_call_that_goes_on_has_a_report_too() -> None:
    """Its end is not known yet."""
    report = report_of(talking().go(1.0).call)
    assert report.status == "in-progress"
    assert report.ended_by == ""
    assert report.frames_sent == 50
