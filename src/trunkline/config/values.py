"""Kinds of single values in the config file, and what is expected of each."""

import re
from typing import Annotated, Final

import phonenumbers
from pydantic import AfterValidator, Field, JsonValue

from trunkline.config import urls, variables
from trunkline.core.kinds import KINDS, Kind

ANYONE: Final = "*"
"""The number that stands for every number that is not listed."""

BUSY: Final = "All our lines are busy. Please call again in a few minutes."

TEXT_CHARS_MAX: Final = 100_000
"""The longest text of an agent: the model's own context is of this order."""

SAID_CHARS_MAX: Final = 2000
"""The longest text that is read to a caller in one piece: two minutes."""

FILLER_CHARS_MAX: Final = 200
"""The longest filler, some ten seconds: it bridges a silence, and an answer waits behind it."""

FILLERS_MAX: Final = 8
"""So many fillers an agent may have: nobody hears more in one call."""

SECRET_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}
)
"""Headers whose values are secrets: they come from the environment, not from the file."""


def e164(number: str) -> str:
    """A number with its country, as `+15550100001`: possible, if not in service."""
    if not is_e164(number):
        raise ValueError("expected a phone number in E.164 form, such as +15550100001")
    return number


def is_e164(number: str) -> bool:
    """Whether this is a number's one form with its country."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    whole = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return whole == number and phonenumbers.is_possible_number(parsed)


def number_or_anyone(number: str) -> str:
    """A number that is called, or `*`."""
    if number != ANYONE and not is_e164(number):
        raise ValueError('expected a phone number in E.164 form, such as +15550100001, or "*"')
    return number


def header_names(headers: dict[str, str]) -> dict[str, str]:
    """Names that HTTP allows."""
    for name in headers:
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", name):
            raise ValueError("expected header names of letters, digits and hyphens")
    return headers


def plain_headers(headers: dict[str, str]) -> dict[str, str]:
    """Headers that may stand in a file: no secret among them, each value one line."""
    for name, value in headers.items():
        if name.lower() in SECRET_HEADERS:
            raise ValueError(
                f"{name} holds a secret: put it under secret_headers, "
                "as the name of an environment variable"
            )
        if not value.isprintable():
            raise ValueError(f"expected the value of {name} to be one line")
    return header_names(headers)


def an_object_s_schema(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A JSON schema of an object: a tool's arguments have names."""
    if schema.get("type") != "object":
        raise ValueError("expected a JSON schema with `type: object`")
    if not isinstance(schema.get("properties", {}), dict):
        raise ValueError("expected `properties` to map names to schemas")  # noqa: TRY004 - pydantic's
    return schema


def short_overflow(value: JsonValue) -> JsonValue:
    """`hangup` alone is short for `{hangup: true}`."""
    return {"hangup": True} if value == "hangup" else value


EXPECTED: Final = {
    (NAME := r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"): "a name of 1 to 63 letters, digits, - and _",
    (ENV_NAME := r"^[A-Z_][A-Z0-9_]{0,127}$"): "the NAME of an environment variable, not its value",
    (VARIABLE := rf"^{variables.NAME.pattern}$"): "a name of letters, digits and _",
    (MODEL := r"^[\w.:/-]{1,128}$"): "a model's name, such as gpt-realtime-2.1",
    (VOICE := r"^[\w-]{1,64}$"): "a voice's name, such as marin",
    (LANGUAGE := r"^[a-z]{2,3}(-[A-Z]{2})?$"): "a language, such as en or de-CH",
    (TARGET := r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"): "module:function",
}
"""What a pattern means, for people."""

Name = Annotated[str, Field(pattern=NAME)]
EnvName = Annotated[str, Field(pattern=ENV_NAME)]
VariableName = Annotated[str, Field(pattern=VARIABLE)]
ModelName = Annotated[str, Field(pattern=MODEL)]
VoiceName = Annotated[str, Field(pattern=VOICE)]
LanguageTag = Annotated[str, Field(pattern=LANGUAGE)]
Target = Annotated[str, Field(pattern=TARGET)]
PhoneNumber = Annotated[str, AfterValidator(e164)]
Called = Annotated[str, AfterValidator(number_or_anyone)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)]
Said = Annotated[str, Field(min_length=1, max_length=SAID_CHARS_MAX)]
Filler = Annotated[str, Field(min_length=1, max_length=FILLER_CHARS_MAX)]
HttpUrl = Annotated[str, AfterValidator(urls.either_http)]
Calls = Annotated[int, Field(ge=0, le=100_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]
Kinds = Annotated[tuple[Kind, ...], Field(max_length=len(KINDS))]
