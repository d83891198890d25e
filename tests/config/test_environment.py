from pathlib import Path

import pytest

from trunkline.config import environment


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    """A variable that is set hides the one in `.env`; the file fills in the others."""
    file = tmp_path / ".env"
    file.write_text("A=file\nB='file'\n# C=1\n")
    given, faults = environment.read({"A": "environ"}, file)
    assert given == {"A": "environ", "B": "file"}
    assert faults == []


def test_an_empty_value_is_none(tmp_path: Path) -> None:
    """An empty variable is not set, and does not hide the file's."""
    file = tmp_path / ".env"
    file.write_text("A=file\nB=\nC\n")
    assert environment.read({"A": "", "D": ""}, file)[0] == {"A": "file"}


def test_a_password_may_hold_a_dollar(tmp_path: Path) -> None:
    """Nothing in the file is taken for a variable to fill in."""
    file = tmp_path / ".env"
    file.write_text("A=x${HOME}y\n")
    assert environment.read({}, file)[0] == {"A": "x${HOME}y"}


def test_no_file_is_no_fault(tmp_path: Path) -> None:
    """`.env` need not be there."""
    assert environment.read({}, tmp_path / ".env") == ({}, [])


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """One line, without what was read."""
    file = tmp_path / ".env"
    file.write_bytes(b"A=\xff\xfe\n")
    _, faults = environment.read({}, file)
    assert faults == [f"{file}: cannot be read (UnicodeDecodeError); expected UTF-8 text"]


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    """Without the newline that editors add."""
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    assert environment.secret({"KEY_FILE": str(file)}, "KEY") == ("s3cret", None)
    assert environment.secret({"KEY": "other"}, "KEY") == ("other", None)
    assert environment.secret({}, "KEY") == (None, None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\n", "and it is empty"),
        (b"a" * (environment.SECRET_BYTES_MAX + 1), "and it is over 65536 bytes"),
        (b"s3cret\xff", "(UnicodeDecodeError)"),
        (None, "(No such file or directory)"),
    ],
)
def test_a_secret_file_that_holds_none(tmp_path: Path, content: bytes | None, why: str) -> None:
    """The line names the variable and never the content."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    value, fault = environment.secret({"KEY_FILE": str(file)}, "KEY")
    assert value is None
    assert fault is not None
    assert fault.startswith("KEY_FILE: expected a ")
    assert why in fault
    assert "s3cret" not in fault
    assert "\n" not in fault


def test_a_secret_given_twice_is_a_fault() -> None:
    """Nobody need guess which of two values is used."""
    _, fault = environment.secret({"KEY": "s3cret", "KEY_FILE": "/x"}, "KEY")
    assert fault == "KEY_FILE: expected either KEY or KEY_FILE, not both"


def test_unknown_variables_are_listed_with_what_may_be_meant() -> None:
    """Only those with the prefix; never their values."""
    given = {"T_PROT": "1", "T_NONSENSE": "s3cret", "T_PORT": "1", "PATH": "x"}
    assert environment.unknown(given, "T_", {"T_PORT", "T_HOST"}) == (
        "T_NONSENSE: no such setting, ignored",
        "T_PROT: no such setting, ignored; did you mean T_PORT?",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("T_SERVICE_HOST", "10.0.0.1"),
        ("T_SERVICE_PORT_HTTP", "80"),
        ("T_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("T_PODS_PORT", "tcp://10.0.0.1:80"),
    ],
)
def test_what_kubernetes_sets_for_a_service_is_no_typing_error(name: str, value: str) -> None:
    """A Service named like us sets variables with our prefix."""
    assert environment.unknown({name: value}, "T_", {"T_PORT"}) == ()
