import pytest

from trunkline.check.clocks import of_date, of_skew
from trunkline.check.items import Status


@pytest.mark.parametrize(
    ("theirs", "status", "why"),
    [
        (1000.0, Status.OK, "within 5 s"),
        (996.0, Status.OK, "within 5 s"),
        (990.0, Status.WARN, "10 s ahead of"),
        (1030.0, Status.WARN, "30 s behind"),
        (2000.0, Status.FAIL, "1000 s behind"),
    ],
)
def test_how_far_a_clock_may_be(theirs: float, status: Status, why: str) -> None:
    """Seconds are the network's, minutes break signatures."""
    item = of_skew("Redis", theirs, 1000.0)
    assert item.status is status
    assert why in item.why


def test_an_answer_s_date_is_read() -> None:
    """One that has none, or a wrong one, says nothing."""
    (item,) = of_date("Twilio", "Thu, 01 Jan 1970 00:01:00 GMT", 60.4)
    assert item.status is Status.OK
    assert of_date("Twilio", None, 0.0) == []
    assert of_date("Twilio", "soon", 0.0) == []
