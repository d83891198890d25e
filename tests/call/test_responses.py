"""One response at a time, and the wish for the next."""

from trunkline.call.responses import (
    RESPONSES_REMEMBERED,
    RETRIES_MAX,
    RETRY_S,
    Responses,
    ResponseState,
    Wish,
)


def asked(order: str = "", *, must: bool = False) -> Responses:
    responses = Responses()
    responses.want(order, must=must)
    responses.ask(10.0)
    return responses


def test_several_wishes_are_one() -> None:
    """The last order counts; no order takes none away."""
    responses = Responses()
    responses.want("first")
    responses.want("second")
    responses.want()
    assert responses.wish == Wish("second")


def test_the_last_word_is_not_replaced() -> None:
    """Except by another last word."""
    responses = Responses()
    responses.want("goodbye", must=True)
    responses.want("are you there?")
    assert responses.wish == Wish("goodbye", must=True)
    responses.want("time is up", must=True)
    assert responses.wish == Wish("time is up", must=True)


def test_a_wish_is_granted_when_nothing_is_under_way() -> None:
    """Asked for under a name of its own each time."""
    responses = asked("first")
    responses.want("second")
    assert not responses.may_ask(10.0)
    assert responses.created("r1", 10.0)
    assert not responses.may_ask(10.0)
    assert responses.done("r1")
    responses.over(completed=True)
    assert responses.may_ask(10.0)
    assert responses.ask(11.0) == ("response_2", Wish("second"))


def test_an_answer_of_the_models_own_grants_a_wish() -> None:
    """If it saw all we had sent; never the last word."""
    responses = Responses()
    responses.want()
    responses.sent_item("a")
    assert not responses.created("r1", 0.0)
    assert responses.wish is not None
    responses.done("r1")
    responses.saw_item("a")
    responses.created("r2", 0.0)
    assert responses.wish is None
    responses.want("goodbye", must=True)
    responses.done("r2")
    responses.created("r3", 0.0)
    assert responses.wish == Wish("goodbye", must=True)


def test_what_failed_is_wished_for_again() -> None:
    """A little later, so often; a newer order counts more, the last word most."""
    responses = asked("goodbye", must=True)
    responses.created("r1", 10.0)
    responses.want("newer")
    responses.done("r1")
    assert responses.failed(10.0)
    assert responses.wish == Wish("goodbye", must=True)
    assert responses.retry_at(10.0) == 10.0 + RETRY_S
    assert not responses.may_ask(10.0)
    assert responses.may_ask(10.0 + RETRY_S)
    assert responses.retry_at(10.0 + RETRY_S) is None
    other = asked("older")
    other.created("r1", 10.0)
    other.want("newer")
    other.done("r1")
    other.failed(10.0)
    assert other.wish == Wish("newer")
    for number in range(2, RETRIES_MAX + 2):
        assert other.failures <= RETRIES_MAX
        assert other.failed(10.0) is (number <= RETRIES_MAX)


def test_what_failed_is_not_what_was_asked_for_before() -> None:
    """A response of the model's own took the place of ours: its failure repeats no order."""
    responses = asked("greet")
    responses.created("ours", 10.0)
    responses.created("its own", 10.0)
    assert responses.done("its own")
    responses.failed(10.0)
    assert responses.wish == Wish()


def test_a_refusal_for_another_response_keeps_the_wish_and_counts_nothing() -> None:
    """Whether that response has been announced or not."""
    for announced in (True, False):
        responses = asked("first")
        if announced:
            responses.created("other", 10.0)
        assert responses.is_ours("response_1")
        assert responses.refused(10.0, busy=True)
        assert responses.wish == Wish("first")
        assert responses.failures == 0
        assert (responses.state is ResponseState.ACTIVE) is announced
        assert not responses.is_ours("response_1")


def test_only_what_is_under_way_can_be_over() -> None:
    """Another's end changes nothing; one that nobody named answers what was asked."""
    responses = asked()
    responses.created("r1", 10.0)
    assert not responses.done("r0")
    assert responses.state is ResponseState.ACTIVE
    assert responses.done("r1")
    assert not responses.done("r1")
    responses.want()
    responses.ask(11.0)
    assert not responses.done("r1")
    assert responses.done("r2")


def test_a_response_is_interrupted_once() -> None:
    """Its name is remembered among a bounded number."""
    responses = Responses()
    assert responses.interrupt() is None
    for number in range(RESPONSES_REMEMBERED + 5):
        responses.created(f"r{number}", 0.0)
        assert responses.interrupt() == f"r{number}"
        assert responses.interrupt() is None
    assert responses.size() == 2 * RESPONSES_REMEMBERED


def test_a_dropped_wish_is_not_granted() -> None:
    """Neither is what was asked for wished again."""
    responses = asked("first")
    responses.want("second")
    responses.drop_wish()
    assert not responses.quiet
    responses.done("r1")
    assert responses.quiet


def test_nothing_is_asked_for_while_the_model_is_about_to_begin() -> None:
    """Until its own response comes, or the time is over."""
    responses = Responses()
    responses.want()
    responses.hold(5.0)
    responses.hold(4.0)
    assert responses.retry_at(4.5) == 5.0
    assert responses.may_ask(5.0)
    responses.created("r1", 4.6)
    responses.done("r1")
    responses.want()
    assert responses.may_ask(4.7)
