"""The carrier's HTTP requests about one call: numbered, signed, and with their faults.

Webhooks ask for a document and keep their order. Status callbacks are best effort: they may be
lost, doubled, or late and so overtake one another, as the faults say.
"""

import random
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from trunkline.sim.carrier.account import USER_AGENT, Account
from trunkline.sim.carrier.events import Request
from trunkline.sim.carrier.faults import Signature
from trunkline.wire.webhooks import (
    FORM_CONTENT_TYPE,
    IDEMPOTENCY_HEADER,
    SIGNATURE_HEADER,
    Form,
    sign,
)

WEBHOOK_S_MAX: Final = 15.0
"""Twilio's hard ceiling for a voice webhook, connecting included."""

CALLBACK_S_MAX: Final = 15.0

LATER_MAX: Final = 200
"""Callbacks held back at once; beyond it they go out without delay."""


class Outbox:
    """Makes the requests of one call, and holds callbacks back that shall be late."""

    def __init__(self, account: Account, rng: random.Random) -> None:
        self.callbacks_sent = 0
        self._account = account
        self._rng = rng
        self._requests = 0
        self.later: list[tuple[float, Request]] = []

    def webhook(self, url: str, method: str, form: Form) -> Request:
        """A request that wants a document."""
        return self._request(url, method, form, WEBHOOK_S_MAX, wants_answer=True)

    def again(self, request: Request) -> Request:
        """The same request once more, with the same idempotency token."""
        self._requests += 1
        return replace(request, request=self._requests)

    def callback(self, url: str, method: str, form: Form, now: float) -> None:
        """A request that wants no document: `due` gives it out."""
        faults = self._account.faults
        if self._rng.random() < faults.callback_loss:
            return
        request = self._request(url, method, form, CALLBACK_S_MAX, wants_answer=False)
        copies = [request]
        if self._rng.random() < faults.callback_double:
            copies.append(self.again(request))
        for copy in copies:
            late_s = self._rng.uniform(0, faults.callback_delay_s_max)
            self.later.append((now + (late_s if len(self.later) < LATER_MAX else 0), copy))

    def deadline(self) -> float | None:
        """When the next callback is due."""
        return min(at for at, _ in self.later) if self.later else None

    def due(self, now: float) -> list[Request]:
        """Callbacks to send by now, the earliest first."""
        if not self.later:
            return []
        ripe = sorted((pair for pair in self.later if pair[0] <= now), key=lambda pair: pair[0])
        self.later = [pair for pair in self.later if pair[0] > now]
        self.callbacks_sent += len(ripe)
        return [request for _, request in ripe]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held back."""
        return not self.later

    def _request(
        self, url: str, method: str, form: Form, timeout_s: float, *, wants_answer: bool
    ) -> Request:
        self._requests += 1
        url = url.partition("#")[0]  # Connection overrides are no part of the request.
        if method == "GET":
            url += ("&" if "?" in url else "?") + urlencode(form.fields)
            form = Form()
        headers = [
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            (IDEMPOTENCY_HEADER, str(self._token())),
        ]
        if method != "GET":
            headers.append(("Content-Type", f"{FORM_CONTENT_TYPE}; charset=UTF-8"))
        headers.extend(
            signature_header(
                self._account.auth_token, url, form, self._account.faults.webhook_signature
            )
        )
        return Request(self._requests, method, url, form, tuple(headers), timeout_s, wants_answer)

    def _token(self) -> str:
        bits = f"{self._rng.getrandbits(128):032x}"
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"


def signature_header(
    token: str, url: str, form: Form, signature: Signature
) -> tuple[tuple[str, str], ...]:
    """The header that signs a request, as the fault wants it."""
    match signature:
        case Signature.VALID:
            return ((SIGNATURE_HEADER, sign(url, form, token)),)
        case Signature.WRONG:
            return ((SIGNATURE_HEADER, sign(url, form, token + "x")),)
        case Signature.MISSING:
            return ()
