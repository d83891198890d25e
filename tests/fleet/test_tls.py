"""The ingress of one machine speaks TLS itself, with certificate files."""

import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.sync.client import connect

from acceptance.commands import environ, run
from fleet.machine import Front, Machine, upped
from pod.hall import CONNECTED
from servers import until

CHAIN, KEY_FILE = "chain.pem", "key.pem"


def issue(authority: trustme.CA, folder: Path) -> None:
    """A fresh certificate in the files, as a renewal leaves it."""
    leaf = authority.issue_cert("localhost")
    (folder / CHAIN).write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(folder / KEY_FILE)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def machine(folder: Path, settings: dict[str, str], authority: trustme.CA) -> Iterator[Machine]:
    issue(authority, folder)
    given = {
        **settings,
        "PUBLIC_URL": f"https://localhost:{settings['PORT']}",
        "TLS_CERT": CHAIN,  # Of the command's own folder.
        "TLS_KEY": str(folder / KEY_FILE),
    }
    with upped(folder, given) as started:
        yield started


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def shown(machine: Machine, trusting: ssl.SSLContext) -> bytes:
    """The certificate that the public port shows."""
    port = int(machine.given["TRUNKLINE_PORT"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        found = wrapped.getpeercert(binary_form=True)
        assert found is not None
        return found


def test_webhooks_and_streams_come_over_tls(machine: Machine, trusting: ssl.SSLContext) -> None:
    """Who trusts the authority is answered; a stream is a wss one. Plain HTTP leads nowhere."""
    with httpx.Client(timeout=20, verify=trusting) as http:
        front = Front(machine, machine.public_url, http, lambda: None)
        _, path, _ = front.call()
        url = machine.public_url.replace("https", "wss", 1) + path
        with connect(url, ssl=trusting, proxy=None, close_timeout=1) as stream:
            stream.send(CONNECTED.decode())
    plain = httpx.get(machine.public_url.replace("https", "http", 1), timeout=5)
    assert plain.status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(machine.public_url, timeout=5)


def test_a_renewed_certificate_is_shown_after_sighup(
    machine: Machine, folder: Path, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """One that can't be used is not taken, and a line says so."""
    before = shown(machine, trusting)
    issue(authority, folder)
    machine.command.send(signal.SIGHUP)
    until(lambda: shown(machine, trusting) != before, "the new certificate")
    renewed = shown(machine, trusting)
    (folder / CHAIN).write_text("half a file")
    machine.command.send(signal.SIGHUP)
    machine.command.until_said("the ingress goes on with the certificate that it has")
    assert shown(machine, trusting) == renewed


def test_what_can_t_be_is_told_at_once(folder: Path, settings: dict[str, str]) -> None:
    """One file without the other; a file that is none; a pod that has no ingress."""
    given = environ(folder, **settings, TLS_CERT="missing.pem")
    run(folder, given, "up", "--pods", "2").assert_tells(2, "TRUNKLINE_TLS_CERT: expected TRUNK")
    missing = {"TLS_CERT": "missing.pem", "TLS_KEY": "missing.pem", "PORT": "0"}
    given = environ(folder, **{**settings, **missing})
    for pods, beginning in (
        ("2", "TRUNKLINE_TLS_CERT, TRUNKLINE_TLS_KEY: No such file"),
        ("1", "TRUNKLINE_TLS_CERT: one pod alone speaks HTTP"),
    ):
        run(folder, given, "up", "--pods", pods).assert_tells(2, beginning)
