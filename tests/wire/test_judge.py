"""Every realtime event of ours is read by the openai package without a rest."""

import json
import types
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.wire.realtime import client, server, session
from wire import judge, records

SESSION_EVENTS = (server.SessionCreated, server.SessionUpdated)


def sent_by_client(kind: type[client.FromClient], optional: records.Optional) -> st.SearchStrategy:
    return records.of(kind, "client", optional)


effective_sessions = st.builds(
    session.effective,
    records.of(session.Session),
    session_id=st.text(max_size=8),
    model=st.text(max_size=8),
    expires_at=st.integers(0, 2**40),
)
"""The full view that the simulator sends of a session, whatever its settings."""


def sent_by_server(kind: type[server.ToClient], optional: records.Optional) -> st.SearchStrategy:
    if kind in SESSION_EVENTS:
        return st.builds(kind, session=effective_sessions, event_id=st.text(max_size=8))
    return records.of(kind, "server", optional)


@pytest.mark.parametrize("optional", ["all", "none", "any"])
@pytest.mark.parametrize("kind", records.kinds(client.FromClient), ids=lambda k: k.__name__)
@settings(max_examples=25)
@given(st.data())
def test_every_event_we_send_to_a_model_is_an_event_of_openai(
    kind: type[client.FromClient], optional: records.Optional, data: st.DataObject
) -> None:
    """Whatever a client's record holds, the openai package reads it and nothing is left over."""
    event = data.draw(sent_by_client(kind, optional))
    assert judge.of_client_event(client.encode(event)) == []


@pytest.mark.parametrize("optional", ["all", "none", "any"])
@pytest.mark.parametrize("kind", records.kinds(server.ToClient), ids=lambda k: k.__name__)
@settings(max_examples=25)
@given(st.data())
def test_every_event_the_simulator_sends_is_an_event_of_openai(
    kind: type[server.ToClient], optional: records.Optional, data: st.DataObject
) -> None:
    """Whatever a server's record holds, the openai package reads it; extras are the known ones."""
    event = data.draw(sent_by_server(kind, optional))
    assert judge.of_server_event(server.encode(event)) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"temperature": 0.8}, "session.temperature"),
        (
            {"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 8000}}}},
            "rate on audio/pcmu",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "sharpness": 1}}}},
            "sharpness",
        ),
        ({"tools": [{"type": "function", "name": "a", "strict": True}]}, "strict"),
        ({"output_modalities": ["video"]}, "output_modalities"),
    ],
)
def test_the_judge_can_say_no(change: records.Tree, complaint: str) -> None:
    """A key that the real server refuses is a complaint, however deep it stands."""
    update = {"type": "session.update", "session": {"type": "realtime", **change}}
    found = judge.of_client_event(json.dumps(update).encode())
    assert any(complaint in one for one in found), found


def test_extras_are_allowed_only_where_they_are_listed() -> None:
    """A session's id is known to be undeclared; the same key in a response's part is not."""
    created = server.SessionCreated(
        session.effective(session.Session(), session_id="sess_1", model="m", expires_at=1)
    )
    tree = json.loads(server.encode(created))
    assert judge.of_server_event(server.encode(created)) == []
    tree["session"]["audio"]["object"] = "surplus"
    assert judge.of_server_event(json.dumps(tree).encode()) == ["session.audio.object"]


def test_an_unknown_event_is_a_complaint() -> None:
    """What is not in the union of events at all is not passed over."""
    assert judge.of_server_event(b'{"type":"response.audio.delta"}') != []
    assert judge.of_client_event(b'{"type":"session.start"}') != []


@pytest.mark.parametrize("union", [client.FromClient, server.ToClient])
def test_the_union_is_judged_whole(union: types.UnionType) -> None:
    """Each record of ours has a model of its own: no two share a `type`."""
    tags = [kind.__struct_config__.tag for kind in records.kinds(union)]
    assert len(set(tags)) == len(tags) == len(get_args(union))
    models = judge.CLIENT if union is client.FromClient else judge.SERVER
    assert set(tags) <= set(models)
    assert all(issubclass(kind, msgspec.Struct) for kind in records.kinds(union))
