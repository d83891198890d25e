from trunkline.world.broken import Broken


def test_a_broken_promise_names_its_number() -> None:
    """As the design counts them."""
    assert str(Broken(2, "a slot leaks")) == "promise 2: a slot leaks"
