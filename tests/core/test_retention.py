import pytest

from trunkline.core.retention import DAY_MS, UNENDED_MS_MAX, Erased, Retention, over_at_ms

NOW_MS = 1_767_225_600_000
KEPT = Retention({"clinic": 30, "archive": None}, {"health": 7})


@pytest.mark.parametrize(
    ("tenant", "vertical", "days"),
    [
        ("clinic", "health", 30),
        ("archive", "health", None),
        ("gone", "health", 7),
        ("gone", "sales", None),
        ("", "", None),
    ],
)
def test_a_tenant_has_its_own_days(tenant: str, vertical: str, days: int | None) -> None:
    """One that has left the file has its vertical's; whoever has none keeps all."""
    before = KEPT.before_ms(tenant, vertical, NOW_MS)
    assert before == (None if days is None else NOW_MS - days * DAY_MS)


def test_nobody_s_days_keep_all() -> None:
    """Then there is nothing to look for."""
    assert Retention().keeps_all
    assert Retention({"archive": None}).keeps_all
    assert not KEPT.keeps_all
    assert not Retention(verticals={"health": 7}).keeps_all


def test_a_call_without_an_end_is_over_at_last() -> None:
    """Its pod was killed and nobody wrote its end: it is not kept for ever for that."""
    assert over_at_ms(NOW_MS, NOW_MS + 5) == NOW_MS + 5
    assert over_at_ms(NOW_MS, None) == NOW_MS + UNENDED_MS_MAX


def test_what_was_erased_adds_up() -> None:
    """Step by step."""
    assert Erased(1, 5) + Erased(2, 7) == Erased(3, 12)
