"""Ports: had before anything else is started, so that one in use is told at once."""

import errno
import socket
from typing import Final

from trunkline.errors import SettingsError

BACKLOG: Final = 1024
"""Connections that wait to be accepted; the kernel refuses more."""


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Bind a listening socket.

    `setting` is the port's; the host's is the same name with HOST for PORT.

    Raises:
        SettingsError: it can't be had; the text names the setting that is to blame.
    """
    bound = hold(host, port, setting)
    try:
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise _taken(host, port, setting, error) from error
    bound.setblocking(False)
    return bound


def hold(host: str, port: int, setting: str) -> socket.socket:
    """Keep a port for a child of ours, which binds it again and listens; we never do.

    As long as it is held the system gives it to nobody who asks for any port, and what comes
    while nobody listens is refused at once.

    Raises:
        SettingsError: it can't be had; the text names the setting that is to blame.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _taken(host, port, setting, error) from error
    return bound


def _taken(host: str, port: int, setting: str, error: OSError) -> SettingsError:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        setting = setting.removesuffix("PORT") + "HOST"
        return SettingsError(
            f"{setting}: cannot listen on {host} ({error.strerror or error}); set {setting} "
            "to an address of this machine"
        )
    return SettingsError(
        f"{setting}: cannot listen on {host}:{port} ({error.strerror or error}); "
        f"set {setting} to a free port"
    )
