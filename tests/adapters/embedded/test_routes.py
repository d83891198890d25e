import json
from pathlib import Path
from typing import Final

from trunkline.adapters.embedded.routes import (
    OFFERS_MAX,
    Backend,
    Certificate,
    routes,
    version_path,
)
from trunkline.core.ids import PodName

PODS: Final = [
    Backend(PodName(name), f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 100}")
    for name, port in (("pod-0", 7000), ("pod-1", 7001))
]


def told(*keys: str) -> object:
    found = json.loads(routes(PODS, "v1"))
    for key in ("http", *keys):
        found = found[key]
    return found


def test_a_pod_s_path_leads_to_that_pod_whatever_it_says_of_itself() -> None:
    """A pod that drains has streams yet, and they come back to it: nobody asks for its health."""
    assert told("routers", "to-pod-1") == {
        "entryPoints": ["public"],
        "rule": "PathPrefix(`/pods/pod-1/`)",
        "service": "living-pod-1",
    }
    service = told("services", "living-pod-1", "loadBalancer")
    assert isinstance(service, dict)
    assert service["servers"] == [{"url": "http://127.0.0.1:7001"}]
    assert "healthCheck" not in service


def test_webhooks_and_unpinned_streams_go_to_pods_that_take_calls() -> None:
    """Each is asked on its internal port; if none takes any, they go to those that live."""
    assert told("routers", "webhooks", "rule") == "PathPrefix(`/twilio/`) || Path(`/media`)"
    assert told("routers", "webhooks", "service") == "any"
    assert told("services", "any") == {"failover": {"service": "ready", "fallback": "living"}}
    asked = [
        told("services", f"ready-{pod}", "loadBalancer", "healthCheck", what)
        for pod in ("pod-0", "pod-1")
        for what in ("path", "port")
    ]
    assert asked == ["/readyz", 7100, "/readyz", 7101]
    names = [{"name": f"ready-{pod}", "weight": 1} for pod in ("pod-0", "pod-1")]
    assert told("services", "ready", "weighted", "services") == names


def test_a_webhook_that_a_pod_did_not_answer_is_offered_to_another() -> None:
    """POSTs too: a pod that dies may be the one that was to resume somebody's call."""
    retry = told("middlewares", "again", "retry")
    assert isinstance(retry, dict)
    assert (retry["status"], retry["retryNonIdempotentMethod"]) == (["502"], True)
    assert told("routers", "webhooks", "middlewares") == ["again"]


def test_no_other_path_is_public() -> None:
    """Health, metrics and the calls' API are for us."""
    routers = told("routers")
    assert isinstance(routers, dict)
    public = [each["rule"] for each in routers.values() if "public" in each["entryPoints"]]
    assert sorted(public) == [
        "PathPrefix(`/pods/pod-0/`)",
        "PathPrefix(`/pods/pod-1/`)",
        "PathPrefix(`/twilio/`) || Path(`/media`)",
    ]
    assert routers["version"]["entryPoints"] == ["private"]
    assert routers["version"]["rule"] == f"Path(`{version_path('v1')}`)"


def test_a_stream_has_no_limit_of_time() -> None:
    """The one wait for an answer ends with the upgrade's: what comes then is nobody's answer."""
    waits = told("serversTransports", "pods", "forwardingTimeouts")
    assert isinstance(waits, dict)
    assert waits.keys() == {"idleConnTimeout", "dialTimeout", "responseHeaderTimeout"}


def test_a_webhook_is_offered_until_bad_luck_is_ruled_out() -> None:
    """Among many at once each offer goes to any pod: of two, one dead, a half hit that one."""
    assert told("middlewares", "again", "retry", "attempts") == OFFERS_MAX
    assert 0.5**OFFERS_MAX < 1 / 1_000


def test_a_certificate_is_shown_whatever_name_is_asked_for() -> None:
    """By TLS 1.2 or newer; without one nothing is said of TLS."""
    shown = Certificate(Path("/etc/chain.pem"), Path("/etc/key.pem"))
    tls = json.loads(routes(PODS, "v1", shown))["tls"]
    files = {"certFile": "/etc/chain.pem", "keyFile": "/etc/key.pem"}
    assert tls["certificates"] == [files]
    assert tls["stores"]["default"]["defaultCertificate"] == files
    assert tls["options"]["default"]["minVersion"] == "VersionTLS12"
    assert "tls" not in json.loads(routes(PODS, "v1"))
