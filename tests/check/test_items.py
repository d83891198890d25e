from trunkline.check.items import Item, Status, fail, of_lines, ok, warn, worst


def test_the_worst_decides() -> None:
    """Nothing at all is well."""
    assert worst([]) is Status.OK
    assert worst([ok("a", "b"), warn("a", "b", "c")]) is Status.WARN
    assert worst([fail("a", "b", "c"), warn("a", "b", "c")]) is Status.FAIL


def test_an_error_of_several_lines_is_several_items() -> None:
    """The remedy stands behind the semicolon, if there is one."""
    assert of_lines(Status.FAIL, "settings", "A: missing; set it\nB: expected a number") == [
        Item(Status.FAIL, "settings", "A: missing", "set it"),
        Item(Status.FAIL, "settings", "B: expected a number"),
    ]
    assert of_lines(Status.FAIL, "settings", "") == []
