"""What the machine tells the model."""

from trunkline.call import wording


def test_an_order_repeats_the_instructions() -> None:
    """Instructions of one response replace the session's: the agent must stay itself."""
    order = wording.for_one_response("You are desk.", wording.SAY_GOODBYE)
    assert order.startswith("You are desk.")
    assert order.endswith(wording.SAY_GOODBYE)
    assert wording.for_one_response("", "Now.") == "Now."


def test_a_greeting_is_given_word_for_word() -> None:
    """Quotes and lines in it stay as they are."""
    assert wording.greeting('Say "hi"\nthere').endswith('\nSay "hi"\nthere')


def test_keys_are_read_one_by_one() -> None:
    """Not as one number."""
    assert wording.keys_pressed("12#") == "[keys pressed: 1 2 #]"


def test_a_wrong_choice_names_the_right_ones() -> None:
    """In an order that does not change from call to call."""
    assert wording.unknown_choice("target", {"b", "a"}) == "Not done: unknown target. Known: a, b."
    assert wording.unknown_choice("agent", ()) == "Not done: unknown agent. Known: none."
