import socket
from pathlib import Path

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.config import settings as module
from trunkline.config.setting_kinds import POD_NAME
from trunkline.config.settings import Settings, load
from trunkline.errors import SettingsError

CANARY = "c4nary-s3cret-value"


def faults(environ: dict[str, str], env_file: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ, env_file)
    return str(caught.value).splitlines()


def test_defaults_are_those_of_the_design() -> None:
    """Nothing set: what a newcomer's machine runs with."""
    settings = load({}, None)
    assert (settings.port, settings.internal_port) == (8080, 8081)
    assert (settings.host, settings.internal_host) == ("0.0.0.0", "127.0.0.1")
    assert (settings.calls_target, settings.calls_max, settings.pool_size) == (30, 50, 8)
    assert settings.drain_s_max == 3660
    assert settings.realtime_url == "wss://api.openai.com/v1/realtime"
    assert settings.realtime_model == "gpt-realtime-2.1"
    assert settings.twilio_api_url == "https://api.twilio.com"
    assert settings.data_dir == Path("trunkline-data")
    assert settings.self_check is False
    assert settings.config is None
    assert settings.warnings == ()


def test_the_process_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what `load` is given counts."""
    monkeypatch.setenv("TRUNKLINE_PORT", "1")
    assert load({}, None).port == 8080
    assert Settings().port == 8080


def test_settings_are_frozen() -> None:
    """Read once, then never another value."""
    with pytest.raises(pydantic.ValidationError):
        load({}, None).port = 1  # type: ignore[misc] # that it is refused is what is tested


def test_every_variable_is_read() -> None:
    """Each setting by its name in the environment."""
    environ = {
        "TRUNKLINE_PUBLIC_URL": "https://calls.example.com/",
        "TRUNKLINE_HOST": "::",
        "TRUNKLINE_PORT": "80",
        "TRUNKLINE_INTERNAL_HOST": "10.0.0.1",
        "TRUNKLINE_INTERNAL_PORT": "81",
        "TRUNKLINE_INTERNAL_URL": "http://10.0.0.1:81",
        "TRUNKLINE_POD_NAME": "pod-7",
        "TRUNKLINE_REDIS_URL": "redis://r/0",
        "TRUNKLINE_DATABASE_URL": "postgresql://p/calls",
        "TRUNKLINE_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TRUNKLINE_TWILIO_AUTH_TOKEN": "one",
        "TRUNKLINE_TWILIO_AUTH_TOKEN_SECONDARY": "two",
        "TRUNKLINE_TWILIO_API_URL": "http://127.0.0.1:99",
        "TRUNKLINE_REALTIME_URL": "ws://localhost:98/v1/realtime",
        "TRUNKLINE_REALTIME_API_KEY": "key",
        "TRUNKLINE_REALTIME_MODEL": "another-model",
        "TRUNKLINE_SPEECH_URL": "http://localhost:97/v1/audio/speech",
        "TRUNKLINE_SPEECH_API_KEY": "another-key",
        "TRUNKLINE_TICKET_KEY": "k" * 16,
        "TRUNKLINE_CALLS_TARGET": "3",
        "TRUNKLINE_CALLS_MAX": "5",
        "TRUNKLINE_POOL_SIZE": "1",
        "TRUNKLINE_DRAIN_S_MAX": "12.5",
        "TRUNKLINE_DATA_DIR": "/data",
        "TRUNKLINE_SELF_CHECK": "true",
        "TRUNKLINE_PINNED_STREAMS": "false",
        "TRUNKLINE_TLS_CERT": "/etc/chain.pem",
        "TRUNKLINE_TLS_KEY": "/etc/key.pem",
        "TRUNKLINE_SLACK_WEBHOOK_URL": "https://hooks.example.com/x",
        "TRUNKLINE_CONFIG": "/etc/trunkline.yaml",
        "TRUNKLINE_PRICES": "/etc/prices.toml",
    }
    assert set(environ) == {module.variable(field) for field in Settings.model_fields}
    settings = load(environ, None)
    assert settings.warnings == ()
    assert settings.public_url == "https://calls.example.com"
    assert settings.public_ws_url == "wss://calls.example.com"
    assert settings.pod_requirements() == []
    untouched = Settings().model_dump(exclude={"pod_name"})
    changed = settings.model_dump()
    assert [field for field, value in untouched.items() if changed[field] == value] == []


def test_limits_below_the_defaults_pull_the_others_down() -> None:
    """A small cap alone is right: target and pool follow it."""
    settings = load({"TRUNKLINE_CALLS_MAX": "2"}, None)
    assert (settings.calls_target, settings.pool_size) == (2, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "http://calls.example.com"),
        ("PUBLIC_URL", "https://calls.example.com/path"),
        ("HOST", "a b"),
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("INTERNAL_PORT", "8081.5"),
        ("POD_NAME", "Pod_1"),
        ("POD_NAME", "-pod"),
        ("POD_NAME", "p" * 64),
        ("POD_NAME", "pod\n"),
        ("TWILIO_ACCOUNT_SID", "AC123"),
        ("TWILIO_API_URL", "http://api.example.com"),
        ("REALTIME_URL", "https://api.openai.com/v1/realtime"),
        ("REALTIME_URL", "ws://api.example.com"),
        ("REALTIME_MODEL", "gpt realtime"),
        ("CALLS_TARGET", "0"),
        ("CALLS_MAX", "0"),
        ("CALLS_MAX", "1001"),
        ("CALLS_MAX", "many"),
        ("POOL_SIZE", "-1"),
        ("DRAIN_S_MAX", "nan"),
        ("DRAIN_S_MAX", "-1"),
        ("SELF_CHECK", "perhaps"),
    ],
)
def test_a_wrong_setting_has_one_line(name: str, value: str) -> None:
    """It names the setting, what is expected, and what was found."""
    (line,) = faults({f"TRUNKLINE_{name}": value})
    assert line.startswith(f"TRUNKLINE_{name}: expected ")
    assert line.endswith(f", not {value!r}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", f"http://u:{CANARY}@x"),
        ("DATABASE_URL", f"mysql://u:{CANARY}@x/y"),
        ("TWILIO_AUTH_TOKEN", f"{CANARY} spaced"),
        ("TWILIO_AUTH_TOKEN_SECONDARY", f"{CANARY}\ttab"),
        ("REALTIME_API_KEY", f"{CANARY}\n{CANARY}"),
        ("SPEECH_API_KEY", f"{CANARY} spaced"),
        ("TICKET_KEY", "c4nary"),
        ("SLACK_WEBHOOK_URL", f"http://x/{CANARY}"),
    ],
)
def test_a_wrong_secret_is_never_quoted(name: str, value: str, tmp_path: Path) -> None:
    """Given in the environment or in a file, its line shows nothing of it."""
    file = tmp_path / "secret"
    file.write_text(value)
    for environ in ({f"TRUNKLINE_{name}": value}, {f"TRUNKLINE_{name}_FILE": str(file)}):
        (line,) = faults(environ)
        assert line.startswith(f"TRUNKLINE_{name}: expected ")
        assert "c4nary" not in line


def test_all_faults_come_at_once() -> None:
    """One run tells everything that is to be mended, a line each."""
    lines = faults(
        {
            "TRUNKLINE_PORT": "x",
            "TRUNKLINE_CALLS_MAX": "y",
            "TRUNKLINE_TICKET_KEY": "short",
            "TRUNKLINE_REDIS_URL_FILE": "/nowhere/at/all",
        }
    )
    assert [line.partition(":")[0] for line in lines] == [
        "TRUNKLINE_REDIS_URL_FILE",
        "TRUNKLINE_PORT",
        "TRUNKLINE_TICKET_KEY",
        "TRUNKLINE_CALLS_MAX",
    ]


def test_a_password_in_a_url_is_masked() -> None:
    """A URL is quoted, what stands before its @ is not."""
    (line,) = faults({"TRUNKLINE_PUBLIC_URL": f"https://u:{CANARY}@calls.example.com"})
    assert CANARY not in line
    assert "//***@calls.example.com" in line


def test_relations_between_settings() -> None:
    """Each that is broken has its line."""
    assert faults(
        {
            "TRUNKLINE_CALLS_MAX": "10",
            "TRUNKLINE_CALLS_TARGET": "11",
            "TRUNKLINE_POOL_SIZE": "12",
            "TRUNKLINE_PORT": "81",
            "TRUNKLINE_INTERNAL_PORT": "81",
            "TRUNKLINE_INTERNAL_URL": "http://10.0.0.1:81",
        }
    ) == [
        "TRUNKLINE_CALLS_TARGET: expected at most TRUNKLINE_CALLS_MAX (10), not 11",
        "TRUNKLINE_POOL_SIZE: expected at most TRUNKLINE_CALLS_MAX (10), not 12",
        "TRUNKLINE_INTERNAL_PORT: expected another port than TRUNKLINE_PORT (81)",
    ]


def test_both_ports_may_be_the_systems_choice() -> None:
    """0 and 0 are two ports."""
    assert load({"TRUNKLINE_PORT": "0", "TRUNKLINE_INTERNAL_PORT": "0"}, None).port == 0


def test_kubernetes_may_set_our_port() -> None:
    """A Service named trunkline sets TRUNKLINE_PORT: the line says so."""
    (line,) = faults({"TRUNKLINE_PORT": "tcp://10.0.0.1:80"})
    assert "enableServiceLinks" in line


def test_an_unknown_variable_is_a_warning() -> None:
    """With what may be meant; a secret's file is known."""
    settings = load({"TRUNKLINE_CALL_MAX": CANARY, "TRUNKLINE_REDIS_URL_FLE": CANARY}, None)
    assert settings.warnings == (
        "TRUNKLINE_CALL_MAX: no such setting, ignored; did you mean TRUNKLINE_CALLS_MAX?",
        "TRUNKLINE_REDIS_URL_FLE: no such setting, ignored; did you mean TRUNKLINE_REDIS_URL_FILE?",
    )


def test_every_secret_may_come_from_a_file(tmp_path: Path) -> None:
    """The mechanism knows no names: what is a SecretStr has it."""
    right = {
        "redis_url": "redis://x",
        "database_url": "postgresql://x/y",
        "slack_webhook_url": "https://x/y",
    }
    assert len(module.secrets()) == 8
    for field in module.secrets():
        value = right.get(field, CANARY)
        file = tmp_path / field
        file.write_text(value + "\n")
        settings = load({module.variable(field) + "_FILE": str(file)}, None)
        assert settings.warnings == ()
        assert settings.model_dump()[field].get_secret_value() == value


def test_no_output_shows_a_secret() -> None:
    """Not repr, not str, not JSON."""
    environ = {
        "TRUNKLINE_REDIS_URL": f"redis://u:{CANARY}@x",
        "TRUNKLINE_DATABASE_URL": f"postgresql://u:{CANARY}@x/y",
        "TRUNKLINE_TWILIO_AUTH_TOKEN": CANARY,
        "TRUNKLINE_TWILIO_AUTH_TOKEN_SECONDARY": CANARY,
        "TRUNKLINE_REALTIME_API_KEY": CANARY,
        "TRUNKLINE_SPEECH_API_KEY": CANARY,
        "TRUNKLINE_TICKET_KEY": CANARY,
        "TRUNKLINE_SLACK_WEBHOOK_URL": f"https://x/{CANARY}",
    }
    settings = load(environ, None)
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert CANARY not in text


def test_the_model_key_falls_back() -> None:
    """To OPENAI_API_KEY, which also gets the blame when it is wrong."""
    key = load({"OPENAI_API_KEY": "theirs"}, None).realtime_api_key
    assert key is not None
    assert key.get_secret_value() == "theirs"
    own = load({"OPENAI_API_KEY": "theirs", "TRUNKLINE_REALTIME_API_KEY": "ours"}, None)
    assert own.realtime_api_key is not None
    assert own.realtime_api_key.get_secret_value() == "ours"
    (line,) = faults({"OPENAI_API_KEY": "a b"})
    assert line.startswith("OPENAI_API_KEY: expected ")


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({}, None),
        ({"OPENAI_API_KEY": "theirs"}, "theirs"),
        ({"OPENAI_API_KEY": "theirs", "TRUNKLINE_SPEECH_API_KEY": "own"}, "own"),
        ({"OPENAI_API_KEY": "theirs", "TRUNKLINE_SPEECH_URL": "https://x.example/speech"}, None),
        ({"OPENAI_API_KEY": "theirs", "TRUNKLINE_REALTIME_URL": "wss://x.example/v1"}, None),
        ({"OPENAI_API_KEY": "theirs", "TRUNKLINE_SPEECH_URL": "https://api.openai.com:444"}, None),
    ],
)
def test_a_key_goes_to_its_own_host_only(environ: dict[str, str], key: str | None) -> None:
    """The speech API has the realtime model's key if it is the same provider's."""
    found = load(environ, None).speech_key()
    assert (found and found.get_secret_value()) == key


def test_env_file_is_read(tmp_path: Path) -> None:
    """Below the environment; a fault in it is one line too."""
    file = tmp_path / ".env"
    file.write_text("TRUNKLINE_PORT=90\nTRUNKLINE_POD_NAME=a\nOPENAI_API_KEY=k\n")
    settings = load({"TRUNKLINE_PORT": "91"}, file)
    assert (settings.port, settings.pod_name) == (91, "a")
    assert settings.realtime_api_key is not None
    file.write_bytes(b"\xff")
    assert len(faults({}, file)) == 1


def test_a_pod_needs_three_things() -> None:
    """Each that is missing has a line with its remedy."""
    lines = load({}, None).pod_requirements()
    assert [line.partition(":")[0] for line in lines] == [
        "TRUNKLINE_PUBLIC_URL",
        "TRUNKLINE_TWILIO_AUTH_TOKEN",
        "TRUNKLINE_REALTIME_API_KEY",
    ]
    assert all("\n" not in line and ": missing; " in line for line in lines)


def test_the_ticket_key_follows_from_the_auth_token() -> None:
    """The same on every pod of the account, another for another token, and not the token."""
    one = load({"TRUNKLINE_TWILIO_AUTH_TOKEN": "one"}, None).signing_key()
    assert one == load({"TRUNKLINE_TWILIO_AUTH_TOKEN": "one"}, None).signing_key()
    assert one != load({"TRUNKLINE_TWILIO_AUTH_TOKEN": "two"}, None).signing_key()
    assert b"one" not in one
    assert len(one) == 32
    own = load({"TRUNKLINE_TWILIO_AUTH_TOKEN": "one", "TRUNKLINE_TICKET_KEY": "k" * 20}, None)
    assert own.signing_key() == b"k" * 20


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("pod-3", "pod-3"),
        ("Pod_3.example.com", "pod-3"),
        ("-a" * 40, "a-" * 31 + "a"),
        ("---", "pod"),
        ("", "pod"),
    ],
)
def test_the_pod_name_is_the_hosts(host: str, name: str) -> None:
    """Whatever the host is called, it is a DNS label."""
    assert module.dns_label(host) == name
    assert POD_NAME.fullmatch(name)


def test_the_default_pod_name_is_this_hosts() -> None:
    """Two pods on two hosts need not be named by hand."""
    assert load({}, None).pod_name == module.dns_label(socket.gethostname())


@given(st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), st.text(max_size=40)))
def test_anything_is_settings_or_lines(values: dict[str, str]) -> None:
    """Whatever the environment holds: settings, or lines that each name a variable."""
    environ = {module.variable(field): value for field, value in values.items()}
    try:
        load(environ, None)
    except SettingsError as error:
        for line in str(error).splitlines():
            assert line.startswith("TRUNKLINE_")
            assert ": expected " in line


def test_every_setting_is_described() -> None:
    """The reference is made from these."""
    for field in Settings.model_fields.values():
        assert field.description
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["expected"]
