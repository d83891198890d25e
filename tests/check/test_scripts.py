from check.grounds import ground, told
from trunkline.check.items import Status
from trunkline.check.scripts import check_audio


def test_each_script_without_its_audio_is_told() -> None:
    """By whoever knows how audio is kept."""
    assert told(check_audio(ground(), lambda _: [])) == [(Status.OK, "fallback audio")]
    items = check_audio(ground(), lambda _: ["assistant: older than its text"])
    assert told(items) == [(Status.WARN, "fallback audio")]


def test_where_nobody_knows_nothing_is_said() -> None:
    """Scripts are then spoken by the carrier."""
    assert check_audio(ground(), None) == []
