import socket

import pytest

from trunkline.errors import SettingsError
from trunkline.pod.http.listening import bind, hold


def test_a_held_port_is_a_child_s_to_bind_and_nobody_listens_there() -> None:
    """What comes while the child is dead is refused at once, not kept waiting."""
    with hold("127.0.0.1", 0, "TEST_PORT") as held:
        port = held.getsockname()[1]
        with bind("127.0.0.1", port, "TEST_PORT"):
            socket.create_connection(("127.0.0.1", port), 5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        with bind("127.0.0.1", port, "TEST_PORT"):  # Its next life.
            socket.create_connection(("127.0.0.1", port), 5).close()


def test_a_port_where_somebody_listens_is_not_held() -> None:
    """The text names the setting."""
    with bind("127.0.0.1", 0, "TEST_PORT") as bound:
        port = bound.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"TEST_PORT: cannot listen on 127.0.0.1:{port}"):
            hold("127.0.0.1", port, "TEST_PORT")
