import ssl
from pathlib import Path

import pytest

from servers import Certificates
from trunkline.adapters.postgres.address import read
from trunkline.errors import SettingsError

PASSWORD = "sesame-canary"
URL = f"postgresql://me:{PASSWORD}@h/calls"


def test_a_url_is_the_drivers() -> None:
    """Its hosts, its sslmode and its variables are for asyncpg to read."""
    for url in (URL, f"{URL}?sslmode=require", "postgres://a,b:5433/calls"):
        assert read(url) == {"dsn": url}


def test_the_systems_own_trust() -> None:
    """For a certificate that a public authority has signed; the name is checked."""
    context = read(f"{URL}?sslmode=verify-full&sslrootcert=system")["ssl"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_systems_own_trust_with_a_certificate_of_ours(certificates: Certificates) -> None:
    """Both at once."""
    assert "ssl" in read(
        f"{URL}?sslmode=verify-full&sslrootcert=system&sslcert={certificates.client}"
    )


@pytest.mark.parametrize("mode", ["", "&sslmode=require", "&sslmode=verify-ca"])
def test_the_systems_trust_without_the_name_is_none(mode: str) -> None:
    """Anybody has a certificate of some name."""
    with pytest.raises(SettingsError, match="needs sslmode=verify-full"):
        read(f"{URL}?sslrootcert=system{mode}")


@pytest.mark.parametrize("option", ["sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"])
def test_a_file_that_is_not_there(option: str) -> None:
    """The option is named; else it would look like a server that is away."""
    with pytest.raises(SettingsError, match=f"the file of {option} can't be read") as caught:
        read(f"{URL}?sslmode=verify-full&{option}=/nowhere.pem")
    assert PASSWORD not in str(caught.value)


def test_a_file_that_holds_no_certificate(tmp_path: Path, certificates: Certificates) -> None:
    """Nor a key, nor the right one."""
    (tmp_path / "empty.pem").write_text("nothing")
    for option in (
        f"sslrootcert={tmp_path}/empty.pem",
        f"sslcert={tmp_path}/empty.pem",
        f"sslcert={certificates.client}&sslkey={certificates.server}",
    ):
        with pytest.raises(SettingsError, match="options name can't be used"):
            read(f"{URL}?sslmode=require&{option}")


@pytest.mark.parametrize("url", ["", "localhost", f"mysql://me:{PASSWORD}@h/calls"])
def test_what_is_no_url_of_postgresql(url: str) -> None:
    """One line with the form, and nothing of the URL."""
    with pytest.raises(SettingsError, match="is no URL of PostgreSQL") as caught:
        read(url)
    assert PASSWORD not in str(caught.value)
