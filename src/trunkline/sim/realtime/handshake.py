"""Who may open a session: path, model and key, and the fault switches of that moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from trunkline.sim.realtime.faults import Faults
from trunkline.sim.realtime.options import RealtimeSimOptions

PATH: Final = "/v1/realtime"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The socket opens. `beta`: only to be told that the beta shape is gone."""

    model: str
    beta: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """An HTTP answer in place of a socket."""

    status: int
    code: str
    message: str


def decide(
    target: str,
    headers: Mapping[str, str],
    options: RealtimeSimOptions,
    faults: Faults,
    now: float,
) -> Accepted | Refused:
    """Answer an upgrade request; `headers` by lower-case names."""
    url = urlsplit(target)
    query = parse_qs(url.query)
    if url.path != PATH:
        return Refused(404, "not_found", f"the path is {PATH}, not {url.path}")
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return Refused(401, "missing_api_key", "no bearer key in the Authorization header")
    if options.keys and key.strip() not in options.keys:
        return Refused(401, "invalid_api_key", "this key is not accepted")
    if (status := faults.take_number("handshake", now)) is not None:
        return Refused(round(status), _CODES.get(round(status), "server_error"), "a fault switch")
    models = query.get("model", [])
    if len(models) != 1:
        return Refused(400, "missing_model", "the query names one model: ?model=MODEL")
    if models[0] not in options.models:
        return Refused(404, "model_not_found", f"no model {models[0]!r}")
    return Accepted(models[0], beta="openai-beta" in headers)


_CODES: Final = {
    401: "invalid_api_key",
    403: "forbidden",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}
