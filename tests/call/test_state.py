"""What a call knows: how the model finds turns, and what it hears."""

import pytest

from call.script import agent, plan
from trunkline.call.phases import Phase
from trunkline.call.state import SERVERS_DEFAULT, Closing, State, detection_of
from trunkline.core.facts import Outcome
from trunkline.wire.realtime.items import InputText, Message
from trunkline.wire.realtime.session import (
    Audio,
    AudioInput,
    SemanticVad,
    ServerVad,
    Session,
    TurnDetection,
)


@pytest.mark.parametrize(
    ("session", "detection"),
    [
        (Session(), SERVERS_DEFAULT),
        (Session(audio=Audio()), SERVERS_DEFAULT),
        (Session(audio=Audio(input=AudioInput())), SERVERS_DEFAULT),
        (Session(audio=Audio(input=AudioInput(turn_detection=None))), None),
        (agent(detection=SemanticVad()).session, SemanticVad()),
    ],
)
def test_turn_detection_is_read_from_the_settings(
    session: Session, detection: TurnDetection | None
) -> None:
    """Left out, the server's default stands for it; null is none."""
    assert detection_of(session) == detection
    assert ServerVad() == SERVERS_DEFAULT


@pytest.mark.parametrize("cancelable", [False, True])
def test_the_model_hears_the_caller_while_that_matters(cancelable: bool) -> None:  # noqa: FBT001
    """In talk, and in a closing that the caller may take back."""
    call_plan = plan()
    state = State(call_plan, call_plan.agents["desk"])
    heard = []
    for phase in (Phase.OPENING, Phase.INSTRUCTING, Phase.TALKING, Phase.CLOSING, Phase.ENDED):
        if phase is Phase.CLOSING:
            state.closing = Closing(Outcome.AGENT_ENDED, "x", "", cancelable=cancelable)
        state.to(phase)
        heard.append(state.hearing)
    assert heard == [False, False, True, cancelable, False]


def test_an_item_of_ours_has_a_name() -> None:
    """Else nobody could tell whether the model has seen it."""
    call_plan = plan()
    state = State(call_plan, call_plan.agents["desk"])
    with pytest.raises(AssertionError):
        state.create_item(Message("user", [InputText("x")]))
