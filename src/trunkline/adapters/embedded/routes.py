"""What Traefik is told of the pods of one machine: which path leads where.

    /pods/POD/…   to that pod and to no other, also while it drains: its streams come back to it
    /twilio/…     to any pod that takes calls; if none does, to any pod that lives
    /media        as /twilio/…: a ticket that names no pod
    all else      is not found

Traefik reads its routes from a file again when it changes, and the file is one of YAML: JSON will
do.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from trunkline.core.ids import PodName

PUBLIC: Final = "public"
"""The entry point that Twilio reaches."""

PRIVATE: Final = "private"
"""An entry point on loopback, where Traefik says which routes it follows."""

HEALTH_MS: Final = 500
"""How often each pod is asked whether it takes calls. Until then a request to one that died goes
to another (`OFFERS_MAX`)."""

HEALTH_MS_MAX: Final = 2_000
"""So long a pod may take to answer that; a busy one is slow and takes calls all the same."""

OFFERS_MAX: Final = 12
"""A webhook is offered so many times before it is refused (502): about until a dead pod is known to
be one. Others' webhooks take their turns between two offers of one, so that each may hit the dead
pod again: of 50 that came at once to two pods, one just killed, 3 did so four times. One that
a pod took and did not answer is offered again too: a pod that knows a webhook's call, or finds
another pod's record of it, goes on from there."""

OFFER_MS: Final = 20
"""Before the second of those; the wait grows to twice that."""

BODY_BYTES_MAX: Final = 128 * 1024
"""A body is kept so far to be offered again; pods refuse much shorter ones (413)."""

CONNECT_MS_MAX: Final = 1_000
"""So long a connection to a pod may take: it is on this machine."""

ANSWER_MS_MAX: Final = 14_000
"""So long a pod may take to begin its answer: Twilio waits 15 s. An upgraded connection, which is
a stream, has no limit."""


IDLE_S_MAX: Final = 30
"""A connection without a request is kept so long: shorter than pods keep theirs, so that none ends
just as a webhook is written to it."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where one pod listens on this machine."""

    pod: PodName
    public_url: str
    internal_url: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the public entry point shows: PEM files, the certificate's with its chain."""

    chain: Path
    key: Path


def routes(pods: Sequence[Backend], version: str, shown: Certificate | None = None) -> str:
    """The file's text. `version` is one more path on loopback: answered once it is followed.

    `shown` whatever name is asked for; its files are read again with this one.
    """
    to_pods = {
        f"to-{each.pod}": {
            "entryPoints": [PUBLIC],
            "rule": f"PathPrefix(`/pods/{each.pod}/`)",
            "service": f"living-{each.pod}",
        }
        for each in pods
    }
    told: dict[str, object] = {
        "http": {
            "routers": {
                **to_pods,
                "webhooks": {
                    "entryPoints": [PUBLIC],
                    "rule": "PathPrefix(`/twilio/`) || Path(`/media`)",
                    "service": "any",
                    "middlewares": ["again"],
                },
                "version": {
                    "entryPoints": [PRIVATE],
                    "rule": f"Path(`{version_path(version)}`)",
                    "service": "ping@internal",
                },
            },
            "middlewares": {
                "again": {
                    "retry": {
                        "attempts": OFFERS_MAX,
                        "initialInterval": f"{OFFER_MS}ms",
                        "status": ["502"],  # Of Traefik itself: no answer came. No pod says so.
                        "retryNonIdempotentMethod": True,
                        "maxRequestBodyBytes": BODY_BYTES_MAX,
                    },
                },
            },
            "services": _services(pods),
            "serversTransports": {
                "pods": {
                    "forwardingTimeouts": {
                        "idleConnTimeout": f"{IDLE_S_MAX}s",
                        "dialTimeout": f"{CONNECT_MS_MAX}ms",
                        "responseHeaderTimeout": f"{ANSWER_MS_MAX}ms",
                    },
                },
            },
        },
    }
    if shown is not None:
        files = {"certFile": str(shown.chain), "keyFile": str(shown.key)}
        told["tls"] = {
            "certificates": [files],
            "stores": {"default": {"defaultCertificate": files}},
            "options": {"default": {"minVersion": "VersionTLS12", "alpnProtocols": ["http/1.1"]}},
        }
    return json.dumps(told, indent=2) + "\n"


def version_path(version: str) -> str:
    """Where Traefik answers on loopback once it follows the routes of this version."""
    return f"/routes/{version}"


def _services(pods: Sequence[Backend]) -> dict[str, object]:
    """Each pod twice: while it takes calls, and as long as it lives."""
    services: dict[str, object] = {}
    for each in pods:
        servers = {"servers": [{"url": each.public_url}], "serversTransport": "pods"}
        health = {
            # Of the internal port: the public one has nothing but webhooks and media.
            "path": "/readyz",
            "port": urlsplit(each.internal_url).port,
            "interval": f"{HEALTH_MS}ms",
            "unhealthyInterval": f"{HEALTH_MS}ms",
            "timeout": f"{HEALTH_MS_MAX}ms",
        }
        services[f"living-{each.pod}"] = {"loadBalancer": servers}
        services[f"ready-{each.pod}"] = {"loadBalancer": {**servers, "healthCheck": health}}
    services["ready"] = {"weighted": {"services": _all("ready", pods), "healthCheck": {}}}
    services["living"] = {"weighted": {"services": _all("living", pods)}}
    # All drain at once when the machine's pods are stopped: redirects must still be answered.
    services["any"] = {"failover": {"service": "ready", "fallback": "living"}}
    return services


def _all(which: str, pods: Sequence[Backend]) -> list[dict[str, object]]:
    return [{"name": f"{which}-{each.pod}", "weight": 1} for each in pods]
