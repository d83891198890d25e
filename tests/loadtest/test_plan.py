"""How much is called, and when."""

import pytest

from trunkline.errors import SettingsError
from trunkline.loadtest.plan import CONSENT, Arrivals, Load, check, check_url


def begun_at(load: Load, until: float) -> list[float]:
    """When calls begin, if each one lasts as long as it should, in steps of 10 ms."""
    arrivals = Arrivals(load)
    ends: list[float] = []
    begun = []
    for now in (step / 100 for step in range(int(until * 100))):
        while ends and ends[0] <= now:
            ends.pop(0)
            arrivals.ended(now)
        while (due := arrivals.due_at()) is not None and due <= now:
            number = arrivals.begin()
            begun.append(now)
            ends.append(arrivals.hang_up_at(number, now))
            assert arrivals.live <= load.calls
    return begun


def test_calls_begin_at_the_rate_until_all_are_up() -> None:
    """Four calls, two a second: half a second between them, and then no more."""
    assert begun_at(Load(4, 2.0, 10), until=12) == [0.0, 0.5, 1.0, 1.5]


def test_the_next_call_takes_an_ended_ones_place() -> None:
    """Two at once, one a second, each for two seconds: one a second until the end."""
    assert begun_at(Load(2, 1.0, 6, call_s=2.0), until=9) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_place_that_becomes_free_late_makes_no_burst() -> None:
    """What could not begin is not made up for: the rate is the highest there is."""
    arrivals = Arrivals(Load(2, 1.0, 100, call_s=10.0))
    arrivals.begin()
    arrivals.begin()
    assert arrivals.due_at() is None
    arrivals.ended(30.0)
    arrivals.ended(30.0)
    assert arrivals.due_at() == 30.0
    arrivals.begin()
    assert arrivals.due_at() == 31.0


def test_at_the_end_callers_hang_up_one_after_another() -> None:
    """Not all in one moment."""
    arrivals = Arrivals(Load(100, 50.0, 60))
    assert arrivals.hang_up_at(0, 0.0) == 60.0
    assert arrivals.hang_up_at(99, 2.0) == pytest.approx(61.98)


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (Load(50, 1.0, 30), r"--seconds 30 is too short: 50 calls at 1 a second need 49 s"),
        (Load(5, 5.0, 30, call_s=1.0), "--call-seconds: a call needs 2 s"),
        (Load(50, 1.0, 60, call_s=20.0), "--call-seconds 20 at --rate 1 never gives 50 calls"),
        (Load(1000, 50.0, 3600, call_s=20.0), "--seconds: that would be 180001 calls"),
    ],
)
def test_what_would_measure_nothing_is_refused(load: Load, told: str) -> None:
    """In one line that names the option and the remedy."""
    with pytest.raises(SettingsError, match=told):
        check(load)


@pytest.mark.parametrize(
    "load", [Load(50, 5.0, 60), Load(1, 0.1, 2), Load(200, 10.0, 300, call_s=20.0)]
)
def test_what_can_be_measured_is_not_refused(load: Load) -> None:
    """The usual ones."""
    check(load)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/twilio/voice", "http://localhost/voice", "https://[::1]:8443/v"],
)
def test_this_machine_needs_no_consent(url: str) -> None:
    """Loopback only."""
    check_url(url, consented=False)


@pytest.mark.parametrize("url", ["https://bot.example/voice", "http://10.0.0.7:8080/voice"])
def test_calls_to_others_need_consent(url: str) -> None:
    """They may cost money: the line names the option."""
    with pytest.raises(SettingsError, match=f"add {CONSENT} if that is you"):
        check_url(url, consented=False)
    check_url(url, consented=True)


@pytest.mark.parametrize("url", ["ws://127.0.0.1/x", "voice", "http://", "http://[::1/x"])
def test_an_address_that_leads_nowhere_is_told(url: str) -> None:
    """Whether or not there is consent."""
    with pytest.raises(SettingsError, match="--url: expected"):
        check_url(url, consented=True)
