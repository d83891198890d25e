import json

import pytest

from chains import CALL, OTHER_CALL
from trunkline.core.carrier import (
    TEXT_CHARS_MAX,
    AmdTold,
    StatusTold,
    StreamErrorTold,
    told,
)


@pytest.mark.parametrize(
    ("what", "kind", "payload"),
    [
        (StatusTold("completed", 3, 12), "status", {"sequence": 3, "duration_s": 12}),
        (StreamErrorTold("MZ1", "31920"), "stream_error", {"error": "31920"}),
        (AmdTold("machine_start", 2400), "amd", {"answered_by": "machine_start"}),
    ],
)
def test_what_was_told_is_kept_in_words(
    what: StatusTold | StreamErrorTold | AmdTold, kind: str, payload: dict[str, object]
) -> None:
    """With its kind and when it came; what was not told is left out."""
    fact = told(CALL, what, at_ms=5)
    read = json.loads(fact.payload)
    assert (fact.call, fact.kind, fact.at_ms) == (CALL, kind, 5)
    assert payload.items() <= read.items()
    assert "at" not in read


def test_the_same_words_are_the_same_fact() -> None:
    """Whenever they come; other words are another fact."""
    first = told(CALL, StatusTold("completed", 3), at_ms=5)
    assert first.digest == told(CALL, StatusTold("completed", 3), at_ms=900).digest
    assert first.digest != told(CALL, StatusTold("completed", 4), at_ms=5).digest
    assert first.digest != told(OTHER_CALL, AmdTold("completed"), at_ms=5).digest


def test_texts_are_bounded() -> None:
    """And hold nothing that a store refuses."""
    fact = told(CALL, StreamErrorTold("MZ1", "\0" + "x" * 9_000), at_ms=5)
    assert len(fact.payload) < TEXT_CHARS_MAX + 100
    assert json.loads(fact.payload)["error"].startswith("\ufffdx")
