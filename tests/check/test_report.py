import json

from trunkline.check.items import fail, ok, warn
from trunkline.check.report import as_json, lines

ITEMS = [ok("redis", "Valkey 9"), warn("clock", "6 s ahead", "use NTP"), fail("tools", "no", "do")]


def test_each_item_is_a_line_with_its_remedy() -> None:
    """And the last one counts them."""
    assert lines(ITEMS).splitlines() == [
        "ok    redis             Valkey 9",
        "warn  clock             6 s ahead  -> use NTP",
        "fail  tools             no  -> do",
        "1 ok, 1 to look at, 1 failed",
    ]


def test_what_others_wrote_moves_no_terminal() -> None:
    """A file's name may hold a line break or worse."""
    assert len(lines([ok("config", "a\nb\x1b[2J")]).splitlines()) == 2
    assert "\x1b" not in lines([ok("config", "a\x1b[2J")])


def test_programs_get_all_of_it() -> None:
    """With the worst status first."""
    read = json.loads(as_json(ITEMS))
    assert read["status"] == "fail"
    assert read["items"][1] == {
        "status": "warn",
        "what": "clock",
        "why": "6 s ahead",
        "remedy": "use NTP",
    }
