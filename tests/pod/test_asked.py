"""What a webhook asks, in our words."""

import pytest

from trunkline.core.ids import CallSid
from trunkline.pod.asked import Asked
from trunkline.wire.webhooks import VoiceRequest


@pytest.mark.parametrize(
    ("direction", "ours", "number"),
    [
        ("inbound", "inbound", "+15550100001"),
        ("outbound-api", "outbound", "+15550100099"),
        ("outbound-dial", "outbound", "+15550100099"),
        ("trunking-terminating", "inbound", "+15550100001"),
    ],
)
def test_which_number_is_ours(direction: str, ours: str, number: str) -> None:
    """The called one, or the one that we call from."""
    request = VoiceRequest("CA1", "AC1", "+15550100099", "+15550100001", direction, "ringing")
    asked = Asked.by(request)
    assert (asked.call, asked.direction, asked.number) == (CallSid("CA1"), ours, number)
