"""Names of a model's errors."""

import pytest

from trunkline.call.faults import ALREADY_ACTIVE, named


@pytest.mark.parametrize(
    ("codes", "name"),
    [
        ((ALREADY_ACTIVE,), ALREADY_ACTIVE),
        ((None, "server_error"), "server_error"),
        (("my number is +15550100001", "server_error"), "server_error"),
        (("my number is +15550100001", None), "other"),
        ((), "other"),
    ],
)
def test_a_name_is_one_of_a_closed_set(codes: tuple[str | None, ...], name: str) -> None:
    """What a peer writes freely never gets into a log or a metric."""
    assert named(*codes) == name
