"""What one setting may look like: its pattern, and the words for what is expected."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr
from pydantic.config import JsonDict

from trunkline.config import urls

POD_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS label: the pod's name is a part of a path and, in Kubernetes, of a host name."""

ACCOUNT_SID: Final = re.compile(r"AC[0-9a-fA-F]{32}")


def whole(pattern: re.Pattern[str]) -> AfterValidator:
    """The value matches the pattern from end to end."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError
        return value

    return AfterValidator(check)


def secret_url(*schemes: str) -> AfterValidator:
    """A store's URL, which may hold a password."""

    def check(value: SecretStr) -> SecretStr:
        urls.check_store(value.get_secret_value(), schemes)
        return value

    return AfterValidator(check)


def expect(text: str) -> JsonDict:
    """What a right value looks like, for errors and the reference."""
    return {"expected": text}


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text:
        # It goes into a header.
        raise ValueError
    return value


Secret = Annotated[SecretStr, AfterValidator(_secret)]
Port = Annotated[int, Field(ge=0, le=65535)]
Host = Annotated[str, whole(re.compile(r"[0-9A-Za-z.:_-]{1,255}"))]
