"""How a pod shows to whoever knows its key that it is the one who answers.

The asker sends a nonce with a request that anybody may send; the pod's refusal carries two codes
made of it with its auth token: one that every pod with this token makes, and one of its own. Nobody
without the token learns or proves anything by it; 128 random bits can't be guessed from the codes,
as a ticket key of a person's choosing might.
"""

import hashlib
import hmac
import re
from enum import StrEnum
from typing import Final

from trunkline.core.ids import Incarnation, PodName

ASKED: Final = "X-Trunkline-Check"
"""The request's header: a nonce."""

ANSWERED: Final = "X-Trunkline-Proof"
"""The answer's header."""

_NONCE: Final = re.compile(r"[0-9a-f]{32}")

_KIND: Final = "trunkline check 1"
"""Begins what is signed: no ticket and no token does."""


class Proof(StrEnum):
    """What an answer shows."""

    THIS_POD = "this pod"
    OUR_KEY = "our key"
    """A pod with the same key: another one, or this one since it was started again."""
    OTHER_KEY = "another key"
    NONE = "none"
    """It is no answer of Trunkline's."""


def answer(key: bytes, pod: PodName, incarnation: Incarnation, nonce: str) -> str | None:
    """What a pod answers to a nonce; None if it is none."""
    if _NONCE.fullmatch(nonce) is None:
        return None
    return f"{_code(key, nonce)}.{_code(key, nonce, pod, incarnation)}"


def judge(
    key: bytes, nonce: str, answered: str | None, pod: str | None, incarnation: str | None
) -> Proof:
    """What the answer to our nonce shows; `pod` is the one that runs here, if one does."""
    if answered is None or re.fullmatch(r"[0-9a-f]{64}\.[0-9a-f]{64}", answered) is None:
        return Proof.NONE
    shared, own = answered.split(".")
    if not hmac.compare_digest(shared, _code(key, nonce)):
        return Proof.OTHER_KEY
    if pod is None or incarnation is None:
        return Proof.OUR_KEY
    mine = _code(key, nonce, pod, incarnation)
    return Proof.THIS_POD if hmac.compare_digest(own, mine) else Proof.OUR_KEY


def _code(key: bytes, *parts: str) -> str:
    return hmac.new(key, "\n".join((_KIND, *parts)).encode(), hashlib.sha256).hexdigest()
