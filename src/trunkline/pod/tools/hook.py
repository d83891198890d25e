"""The context hook: a user's server gives a call its variables while its webhook is answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from trunkline.core.ids import CallSid
from trunkline.pod.tools.client import Failure, HttpClient, Reason, Request
from trunkline.pod.tools.specs import Run
from trunkline.pod.tools.text import fit

HOOK_S_MAX: Final = 1.0
"""The caller hears it ring so long; then the call goes on without variables."""

ANSWER_BYTES_MAX: Final = 64 * 1024
"""A longer answer is none: "too_big"."""

VARIABLES_MAX: Final = 100
"""More variables than this are none: "too_big"."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""Names that can stand in instructions; another one makes the answer "malformed"."""


@dataclass(frozen=True, slots=True)
class Found:
    """The call's variables; where there are none, why."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    failure: Reason | None = None


class ContextHook:
    """Asks one URL about each call."""

    def __init__(
        self,
        client: HttpClient,
        url: str,
        *,
        timeout_s: float = HOOK_S_MAX,
        signing_key: str | None = None,
    ) -> None:
        self._client = client
        self._url = url
        self._timeout_s = timeout_s
        self._signing_key = signing_key

    async def ask(self, *, call: CallSid, from_number: str, to_number: str, agent: str) -> Found:
        """POST `{call_sid, from, to, agent}`; a JSON object of strings comes back. Never raises."""
        body = msgspec.json.encode(
            {
                "call_sid": fit(call),
                "from": fit(from_number),
                "to": fit(to_number),
                "agent": fit(agent),
            }
        )
        request = Request(self._url, body, Run(call, call), signing_key=self._signing_key)
        answer = await self._client.send(
            request, timeout_s=self._timeout_s, bytes_max=ANSWER_BYTES_MAX
        )
        return Found(failure=answer.reason) if isinstance(answer, Failure) else _read(answer)


_VARIABLES: Final = msgspec.json.Decoder(dict[str, str])


def _read(answer: bytes) -> Found:
    try:
        variables = _VARIABLES.decode(answer)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Found(failure="malformed")
    if len(variables) > VARIABLES_MAX:
        return Found(failure="too_big")
    if not all(_NAME.fullmatch(name) for name in variables):
        return Found(failure="malformed")
    return Found({name: fit(text) for name, text in variables.items()})
