"""What the built-in tools ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call.script import agent
from trunkline.call import builtin
from trunkline.call.builtin import HandOff, Order, Refusal, SayGoodbye, SendDigits, Transfer
from trunkline.call.plan import ToolKind
from trunkline.wire import g711

AGENT = agent(handoffs=("clinic",), transfer_numbers={"sales": "+15550100001"})


@pytest.mark.parametrize(
    ("kind", "arguments", "order"),
    [
        (ToolKind.END_CALL, {}, SayGoodbye()),
        (ToolKind.END_CALL, {"reason": "done"}, SayGoodbye()),
        (ToolKind.TRANSFER_CALL, {"target": "sales"}, Transfer("sales", "+15550100001")),
        (ToolKind.HANDOFF, {"agent": "clinic"}, HandOff("clinic")),
        (ToolKind.SEND_DIGITS, {"digits": "1w2*#A"}, SendDigits("1w2*#A")),
        (ToolKind.SEND_DIGITS, {"digits": 42}, SendDigits("42")),
        (ToolKind.SEND_DIGITS, {"digits": "555 01-00"}, SendDigits("5550100")),
    ],
)
def test_an_order_is_read(kind: ToolKind, arguments: dict[str, object], order: Order) -> None:
    """From the model's arguments and what this agent may do."""
    assert builtin.read_order(kind, arguments, AGENT) == order


@given(
    st.sampled_from(sorted(builtin.KINDS - {ToolKind.END_CALL})),
    st.dictionaries(
        st.sampled_from(["target", "agent", "digits"]),
        st.none() | st.booleans() | st.floats() | st.lists(st.integers()) | st.text(),
    ),
)
def test_what_can_not_be_done_is_refused(kind: ToolKind, arguments: dict[str, object]) -> None:
    """Whatever a model puts into its arguments: an order that can be carried out, or a refusal."""
    order = builtin.read_order(kind, arguments, AGENT)
    if isinstance(order, SendDigits):
        assert g711.dtmf(order.digits)
    elif not isinstance(order, Refusal):
        assert order in {Transfer("sales", "+15550100001"), HandOff("clinic")}


def test_the_pods_own_tools_give_no_order() -> None:
    """Asking for one is a bug of ours."""
    assert ToolKind.HTTP not in builtin.KINDS
    with pytest.raises(AssertionError, match="run by the pod"):
        builtin.read_order(ToolKind.HTTP, {}, AGENT)
