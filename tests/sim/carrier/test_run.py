"""The run of a document: verbs in, orders out."""

from sim.carrier_bench import MEDIA, VOICE, connect, response
from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.program import Program
from trunkline.sim.carrier.run import (
    VERBS_AT_ONCE_MAX,
    Answer,
    Broken,
    Fetch,
    Finish,
    HandOver,
    Order,
    Run,
    Sleep,
    Speak,
    Stream,
)
from trunkline.wire import twiml_reading as twiml


def orders(inside: str, base: str | None = VOICE) -> list[Order]:
    run = Run(Account())
    return run.begin(Program(twiml.parse(response(inside)), base))


def test_verbs_run_until_one_takes_time() -> None:
    """Then the run sleeps, and goes on where it was."""
    run = Run(Account())
    first = run.begin(Program(twiml.parse(response("<Say>hi</Say><Dial>1</Dial>")), VOICE))
    assert first == [Answer(), Speak("hi"), Sleep(0.12)]
    assert run.verb == "say"
    assert run.woke() == [Answer(), HandOver(("1",)), Sleep(2.0)]
    assert run.woke() == [Answer(), Finish("completed", "agent")]
    assert run.verb == "end"


def test_an_empty_document_answers_and_ends() -> None:
    """It says nothing, so the call is over."""
    assert orders("") == [Answer(), Finish("completed", "agent")]


def test_a_stream_is_followed_by_the_next_verb_or_the_action() -> None:
    """`woke` after `stream_is_over` goes on."""
    run = Run(Account())
    first = run.begin(Program(twiml.parse(connect("<Hangup/>")), VOICE))
    assert isinstance(first[1], Stream)
    assert first[1].url == MEDIA
    assert run.has_more
    run.stream_is_over()
    assert run.woke() == [Answer(), Finish("completed", "agent")]
    run.begin(Program(twiml.parse(connect("<Hangup/>", attributes=' action="/a"')), VOICE))
    run.stream_is_over()
    assert run.woke() == [Fetch("https://bot.example/a", "POST", ())]


def test_nothing_more_after_a_last_stream() -> None:
    """A document that ends with it ends the call."""
    run = Run(Account())
    run.begin(Program(twiml.parse(connect()), VOICE))
    assert not run.has_more
    run.stream_is_over()
    assert run.woke() == [Answer(), Finish("completed", "agent")]


def test_a_run_that_gives_up_ends_the_call() -> None:
    """Whatever the document still holds."""
    run = Run(Account())
    run.begin(Program(twiml.parse(connect("<Redirect>/a</Redirect>")), VOICE))
    run.give_up()
    assert run.woke() == [Finish("completed", "carrier")]


def test_keys_are_collected_or_time_runs_out() -> None:
    """Each key gives more time; the last one, or the finish key, ends it."""
    document = '<Gather action="/a" numDigits="2" timeout="4"/><Hangup/>'
    run = Run(Account())
    assert run.begin(Program(twiml.parse(response(document)), VOICE)) == [Answer(), Sleep(4)]
    assert run.pressed("1") == [Sleep(4)]
    fetch = run.pressed("2")
    assert fetch is not None
    assert isinstance(fetch[0], Fetch)
    assert dict(fetch[0].extra)["Digits"] == "12"
    assert run.pressed("3") is None
    run.begin(Program(twiml.parse(response(document)), VOICE))
    assert run.woke() == [Answer(), Finish("completed", "agent")]


def test_relative_urls_in_an_inline_document_break_it() -> None:
    """15004."""
    (broken,) = orders("<Redirect>/a</Redirect>", None)
    assert isinstance(broken, Broken)
    assert broken.code == 15004
    answered, broken = orders('<Connect><Stream url="/media"/></Connect>', None)
    assert answered == Answer()
    assert isinstance(broken, Broken)


def test_a_document_of_countless_verbs_breaks() -> None:
    """A bound on what runs without time passing."""
    run = Run(Account())
    run.is_answered = True
    verbs = [twiml.Reject()] * (VERBS_AT_ONCE_MAX + 1)
    assert isinstance(run.begin(Program(verbs, VOICE))[-1], Broken)


def test_an_apology_ends_the_call() -> None:
    """After it was spoken."""
    run = Run(Account())
    assert run.apologize("sorry", 3.0) == [Speak("sorry"), Sleep(3.0)]
    assert run.woke() == [Finish("completed", "carrier")]
