"""Settings: the environment (prefix `TRUNKLINE_`), `.env`, and `…_FILE` for every secret."""

import hashlib
import hmac
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from trunkline.config import environment, urls
from trunkline.config.setting_kinds import (
    ACCOUNT_SID,
    POD_NAME,
    Host,
    Port,
    Secret,
    expect,
    secret_url,
    whole,
)
from trunkline.errors import SettingsError

PREFIX: Final = "TRUNKLINE_"

REDIS_SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
"""`…s` is TLS; `…+sentinel` asks the sentinels where the primary is. See docs/howto/stores.md."""

KEY_FALLBACK: Final = "OPENAI_API_KEY"

CALLS_TARGET: Final = 30
CALLS_MAX: Final = 50
POOL_SIZE: Final = 8

CALLS_PER_POD_MAX: Final = 1000
"""No pod is let carry more: beyond any core measured, so a typing error."""

DRAIN_S_MAX: Final = 3660.0
"""The grace period: the longest call, and a minute."""

VALUE_CHARS_MAX: Final = 80
"""A wrong value is quoted up to this length; a secret never is."""

TICKET_KEY_CHARS_MIN: Final = 16


def dns_label(host: str) -> str:
    """A host's name without its domain, made a DNS label."""
    label = re.sub(r"[^a-z0-9-]+", "-", host.lower().partition(".")[0])
    return label.strip("-")[:63].strip("-") or "pod"


class Settings(BaseSettings):
    """What one process runs with. Frozen; made by `load`, which alone reads the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    public_url: Annotated[str, AfterValidator(urls.public)] | None = Field(
        None,
        description="Where Twilio reaches this pod's public port. Signatures are checked "
        "against it, never against the Host header.",
        json_schema_extra=expect(
            "https://HOST, without a path (http only for this machine's own simulators)"
        ),
    )
    host: Host = Field(
        "0.0.0.0",  # noqa: S104 - Twilio's webhooks and media arrive here from outside.
        description="Address of the public port: Twilio's webhooks and media, nothing else.",
        json_schema_extra=expect("a host name or address"),
    )
    port: Port = Field(
        8080,
        description="The public port; 0 lets the system choose.",
        json_schema_extra=expect("a whole number from 0 to 65535"),
    )
    internal_host: Host = Field(
        "127.0.0.1",
        description="Address of the internal port: health, metrics, calls. It asks nobody who "
        "they are, so open it only to a private network.",
        json_schema_extra=expect("a host name or address"),
    )
    internal_port: Port = Field(
        8081,
        description="The internal port; 0 lets the system choose.",
        json_schema_extra=expect("a whole number from 0 to 65535, other than TRUNKLINE_PORT"),
    )
    internal_url: Annotated[str, AfterValidator(urls.either_http)] | None = Field(
        None,
        description="Where the other pods reach this pod's internal port. Not set: "
        "http://INTERNAL_HOST:INTERNAL_PORT, with this machine's address for 0.0.0.0.",
        json_schema_extra=expect("http://HOST:PORT of a private network"),
    )
    pod_name: Annotated[str, whole(POD_NAME)] = Field(
        default_factory=lambda: dns_label(socket.gethostname()),
        description="This pod's name, its own among all pods: a part of its media path. While a "
        "pod of this name answers, another does not start.",
        json_schema_extra=expect("a DNS label: 1 to 63 of a-z, 0-9 and -, with no - at either end"),
    )
    tls_cert: Path | None = Field(
        None,
        description="The certificate, with its chain, for PUBLIC_URL's host: `up --pods` then "
        "speaks TLS on the public port. Not set: something before it does.",
        json_schema_extra=expect("a PEM file's path, and TRUNKLINE_TLS_KEY"),
    )
    tls_key: Path | None = Field(
        None,
        description="The private key of TLS_CERT.",
        json_schema_extra=expect("a PEM file's path, and TRUNKLINE_TLS_CERT"),
    )
    pinned_streams: bool = Field(
        default=True,
        description="Streams go to /pods/POD/media. False: to /media and so to any pod, for pods "
        "behind one address; the same on every pod.",
        json_schema_extra=expect("true or false"),
    )
    redis_url: Annotated[SecretStr, secret_url(*REDIS_SCHEMES)] | None = Field(
        None,
        description="The journal's store, Valkey or Redis. Not set: one is started under DATA_DIR.",
        json_schema_extra=expect(
            "redis://…, rediss://…, unix://… or redis+sentinel://HOST,HOST/SERVICE"
        ),
    )
    database_url: Annotated[SecretStr, secret_url("postgresql", "postgres")] | None = Field(
        None,
        description="The call log's PostgreSQL. Not set: one is started under DATA_DIR.",
        json_schema_extra=expect("postgresql://…"),
    )
    twilio_account_sid: Annotated[str, whole(ACCOUNT_SID)] | None = Field(
        None,
        description="The Twilio account whose calls these are.",
        json_schema_extra=expect("AC and 32 hexadecimal digits"),
    )
    twilio_auth_token: Secret | None = Field(
        None,
        description="Twilio signs its webhooks with it, and we our REST requests.",
        json_schema_extra=expect("the account's auth token, without spaces"),
    )
    twilio_auth_token_secondary: Secret | None = Field(
        None,
        description="The other valid auth token while tokens are rotated.",
        json_schema_extra=expect("the account's secondary auth token, without spaces"),
    )
    twilio_api_url: Annotated[str, AfterValidator(urls.https)] = Field(
        "https://api.twilio.com",
        description="Twilio's REST API; another region's, or a simulator's.",
        json_schema_extra=expect("https://HOST (http only for loopback hosts)"),
    )
    realtime_url: Annotated[str, AfterValidator(urls.wss)] = Field(
        "wss://api.openai.com/v1/realtime",
        description="The realtime model's WebSocket.",
        json_schema_extra=expect("wss://HOST/PATH (ws only for loopback hosts)"),
    )
    realtime_api_key: Secret | None = Field(
        None,
        description="The key of REALTIME_URL. Not set: OPENAI_API_KEY is used.",
        json_schema_extra=expect("the provider's key, without spaces"),
    )
    realtime_model: Annotated[str, whole(re.compile(r"[\w.:/-]{1,128}"))] = Field(
        "gpt-realtime-2.1",
        description="The model of agents that name none.",
        json_schema_extra=expect("a model's name, such as gpt-realtime-2.1"),
    )
    speech_url: Annotated[str, AfterValidator(urls.https)] = Field(
        "https://api.openai.com/v1/audio/speech",
        description="The speech API that `trunkline voice render` asks; no call does.",
        json_schema_extra=expect("https://HOST/PATH (http only for loopback hosts)"),
    )
    speech_api_key: Secret | None = Field(
        None,
        description="The key of SPEECH_URL. Not set: REALTIME_API_KEY, if both are on one host.",
        json_schema_extra=expect("the provider's key, without spaces"),
    )
    ticket_key: Annotated[Secret, Field(min_length=TICKET_KEY_CHARS_MIN)] | None = Field(
        None,
        description="Signs tickets and resume tokens; the same on every pod. Not set: derived "
        "from TWILIO_AUTH_TOKEN (set it before that token is rotated under several pods).",
        json_schema_extra=expect(f"at least {TICKET_KEY_CHARS_MIN} characters, without spaces"),
    )
    calls_max: Annotated[int, Field(ge=1, le=CALLS_PER_POD_MAX)] = Field(
        CALLS_MAX,
        description="The hard cap: a pod never carries more calls at once.",
        json_schema_extra=expect(f"a whole number from 1 to {CALLS_PER_POD_MAX}"),
    )
    calls_target: Annotated[int, Field(ge=1, le=CALLS_PER_POD_MAX)] = Field(
        default_factory=lambda data: min(CALLS_TARGET, data.get("calls_max", CALLS_MAX)),
        description=f"How many calls a pod should carry: what scaling aims at. Not set: "
        f"{CALLS_TARGET}, or CALLS_MAX where that is lower.",
        json_schema_extra=expect("a whole number from 1 to TRUNKLINE_CALLS_MAX"),
    )
    pool_size: Annotated[int, Field(ge=0, le=CALLS_PER_POD_MAX)] = Field(
        default_factory=lambda data: min(POOL_SIZE, data.get("calls_max", CALLS_MAX)),
        description=f"Warm sessions kept open to the realtime model. Not set: {POOL_SIZE}, or "
        "CALLS_MAX where that is lower.",
        json_schema_extra=expect("a whole number from 0 to TRUNKLINE_CALLS_MAX"),
    )
    drain_s_max: Annotated[float, Field(ge=0, le=24 * 3600, allow_inf_nan=False)] = Field(
        DRAIN_S_MAX,
        description="Seconds that calls get to end after SIGTERM. The grace period of whatever "
        "runs the pod must be longer.",
        json_schema_extra=expect("seconds, from 0 to 86400"),
    )
    data_dir: Path = Field(
        Path("trunkline-data"),
        description="The folder of the stores that are started here.",
        json_schema_extra=expect("a folder's path"),
    )
    self_check: bool = Field(
        default=False,
        description="Take calls only once the pod has reached itself through PUBLIC_URL.",
        json_schema_extra=expect("true or false"),
    )
    slack_webhook_url: Annotated[SecretStr, secret_url("https")] | None = Field(
        None,
        description="Where alerts are sent.",
        json_schema_extra=expect("https://…"),
    )
    config: Path | None = Field(
        None,
        description="Path of trunkline.yaml. Not set: one built-in agent answers every number.",
        json_schema_extra=expect("a file's path"),
    )

    prices: Path | None = Field(
        None,
        description="A price list of your own, in the stead of src/trunkline/config/prices.toml.",
        json_schema_extra=expect("a file's path"),
    )

    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` was given: nothing else reads the process's own environment."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @model_validator(mode="after")
    def _relations(self) -> Self:
        faults = []
        if self.calls_target > self.calls_max:
            faults.append(
                f"{PREFIX}CALLS_TARGET: expected at most {PREFIX}CALLS_MAX ({self.calls_max}), "
                f"not {self.calls_target}"
            )
        if self.pool_size > self.calls_max:
            faults.append(
                f"{PREFIX}POOL_SIZE: expected at most {PREFIX}CALLS_MAX ({self.calls_max}), "
                f"not {self.pool_size}"
            )
        if self.port == self.internal_port != 0:
            faults.append(
                f"{PREFIX}INTERNAL_PORT: expected another port than {PREFIX}PORT ({self.port})"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            faults.append(f"{PREFIX}TLS_CERT: expected {PREFIX}TLS_KEY with it, or neither")
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks wrong and hinders nothing, a line each."""
        return self._warnings

    @property
    def public_ws_url(self) -> str | None:
        """`public_url` as a WebSocket's: `https` becomes `wss`."""
        return None if self.public_url is None else "ws" + self.public_url.removeprefix("http")

    def signing_key(self) -> bytes:
        """The key of tickets and resume tokens. `pod_requirements` must have been met."""
        if self.ticket_key is not None:
            return self.ticket_key.get_secret_value().encode()
        assert self.twilio_auth_token is not None, "pod_requirements() was not asked"
        token = self.twilio_auth_token.get_secret_value().encode()
        return hmac.digest(token, b"trunkline ticket key 1", hashlib.sha256)

    def speech_key(self) -> SecretStr | None:
        """The key of the speech API; no other host is given the realtime model's."""
        if self.speech_api_key is not None:
            return self.speech_api_key
        same = urlsplit(self.speech_url).netloc == urlsplit(self.realtime_url).netloc
        return self.realtime_api_key if same else None

    def pod_requirements(self) -> list[str]:
        """What is missing before a pod may take calls, a line each with its remedy."""
        missing = []
        if self.public_url is None:
            missing.append(
                f"{PREFIX}PUBLIC_URL: missing; set it to the https:// URL at which Twilio reaches "
                f"port {self.port} (a tunnel's will do)"
            )
        if self.twilio_auth_token is None:
            missing.append(
                f"{PREFIX}TWILIO_AUTH_TOKEN: missing; copy the auth token of your Twilio account "
                "from its console"
            )
        if self.realtime_api_key is None:
            missing.append(
                f"{PREFIX}REALTIME_API_KEY: missing; set it or OPENAI_API_KEY to your provider's "
                "key"
            )
        return missing


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def secrets() -> frozenset[str]:
    """The fields that no output may show, each with a `…_FILE` variable."""
    return frozenset(
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    )


def load(environ: Mapping[str, str], env_file: Path | None = Path(".env")) -> Settings:
    """Settings from `environ`, then `env_file` where it exists; an empty value is none.

    Raises:
        SettingsError: one line for each wrong setting: its name, what is expected, no secret.
    """
    given, faults = environment.read(environ, env_file)
    values: dict[str, str] = {}
    for field in Settings.model_fields:
        name = variable(field)
        if field in secrets():
            value, fault = environment.secret(given, name)
            faults += [] if fault is None else [fault]
        else:
            value = given.get(name)
        if value is not None:
            values[field] = value
    names = {field: variable(field) for field in Settings.model_fields}
    if "realtime_api_key" not in values and KEY_FALLBACK in given:
        values["realtime_api_key"] = given[KEY_FALLBACK]
        names["realtime_api_key"] = KEY_FALLBACK
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(faults + _explain(error, values, names))) from None
    if faults:
        raise SettingsError("\n".join(faults))
    known = {variable(field) for field in Settings.model_fields}
    known |= {variable(field) + environment.FILE_SUFFIX for field in secrets()}
    settings._warnings = environment.unknown(given, PREFIX, known)  # noqa: SLF001 - ours
    return settings


def _explain(
    error: ValidationError, values: Mapping[str, str], names: Mapping[str, str]
) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        if not fault["loc"]:
            lines += fault["msg"].removeprefix("Value error, ").splitlines()
            continue
        if fault["type"] == "default_factory_not_called":
            continue  # It follows a setting that is wrong, and that one has its line.
        field = str(fault["loc"][0])
        extra = Settings.model_fields[field].json_schema_extra
        assert isinstance(extra, dict)
        line = f"{names[field]}: expected {extra['expected']}"
        value = values.get(field, "")
        if field not in secrets():
            line += f", not {urls.without_password(value)[:VALUE_CHARS_MAX]!r}"
        if re.match(r"(tcp|udp)://", value):
            # Kubernetes sets TRUNKLINE_PORT=tcp://… for a Service that is named trunkline.
            line += " (set by Kubernetes for a Service: turn enableServiceLinks off)"
        if line not in lines:
            lines.append(line)
    return lines
