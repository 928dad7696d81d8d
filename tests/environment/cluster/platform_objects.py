"""Small objects that the platform's controllers act upon."""

from __future__ import annotations

from typing import Any, Final

from local.platform.names import INGRESS_CLASS, MONITORING, NOTIFICATIONS_PORT, RELEASE

Manifest = dict[str, Any]

SPACE: Final = "platform-test"
HOST: Final = "web.platform-test.example"

_SERVER: Final = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"web_up 1\\n" if self.path == "/metrics" else sys.argv[1].encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


def _object(kind: str, version: str, name: str, spec: Manifest, **metadata: object) -> Manifest:
    found: Manifest = {"name": name, "namespace": SPACE, **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": found, "spec": spec}


def _of_cluster(kind: str, version: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": f"{SPACE}-{name}"}, "spec": spec}


def _issuers() -> list[Manifest]:
    version = "cert-manager.io/v1"
    authority = _object(
        "Certificate", version, f"{SPACE}-ca",
        {
            "isCA": True,
            "commonName": f"{SPACE}-ca",
            "secretName": f"{SPACE}-ca",
            "issuerRef": {"kind": "ClusterIssuer", "name": f"{SPACE}-self-signed"},
        },
        # Where cert-manager looks for the Secrets of ClusterIssuers.
    )  # fmt: skip
    authority["metadata"]["namespace"] = "cert-manager"
    return [
        _of_cluster("ClusterIssuer", version, "self-signed", {"selfSigned": {}}),
        authority,
        _of_cluster("ClusterIssuer", version, "ca", {"ca": {"secretName": f"{SPACE}-ca"}}),
        _object(
            "Certificate", version, "server",
            {
                "secretName": "server",
                "dnsNames": [HOST],
                "issuerRef": {"kind": "ClusterIssuer", "name": f"{SPACE}-ca"},
            },
        ),
    ]  # fmt: skip


def _web(name: str, image: str) -> list[Manifest]:
    labels = {"app.kubernetes.io/name": f"web-{name}"}
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "web",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python", "-c", _SERVER, name],
                "ports": [{"name": "http", "containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
                "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}},
            }
        ],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"web-{name}", "namespace": SPACE, "labels": labels},
            "spec": pod,
        },
        _object("Service", "v1", f"web-{name}", {"selector": labels, "ports": [_PORT]}, labels=labels),
    ]


_PORT: Final = {"name": "http", "port": 80, "targetPort": "http"}


def ingress(backend: str) -> Manifest:
    """The Ingress for HOST to this backend."""
    service = {"service": {"name": f"web-{backend}", "port": {"name": "http"}}}
    return _object(
        "Ingress", "networking.k8s.io/v1", "web",
        {
            "ingressClassName": INGRESS_CLASS,
            "tls": [{"hosts": [HOST], "secretName": "server"}],
            "rules": [{"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": service}]}}],
        },
    )  # fmt: skip


def _rule(alert: str, labels: dict[str, str]) -> Manifest:
    # A route of a namespace takes the alerts of that namespace only.
    rules = [{"alert": alert, "expr": "vector(1)", "labels": {"severity": "critical", "namespace": SPACE}}]
    spec = {"groups": [{"name": alert, "interval": "2s", "rules": rules}]}
    return _object("PrometheusRule", "monitoring.coreos.com/v1", alert.lower(), spec, labels=labels)


def _monitoring() -> list[Manifest]:
    url = f"http://notifications.{MONITORING}:{NOTIFICATIONS_PORT}/webhook/{SPACE}"
    route = {"receiver": "sink", "groupBy": ["alertname"]}
    receivers = [{"name": "sink", "webhookConfigs": [{"url": url}]}]
    monitor = {
        "selector": {"matchLabels": {"app.kubernetes.io/name": "web-one"}},
        "endpoints": [{"port": "http", "interval": "2s", "scrapeTimeout": "2s"}],
    }
    return [
        _rule("AlwaysFiring", RELEASE),
        _rule("Unlabelled", {}),
        _object(
            "AlertmanagerConfig", "monitoring.coreos.com/v1alpha1", "sink",
            {"route": route, "receivers": receivers}, labels=RELEASE,
        ),
        _object("ServiceMonitor", "monitoring.coreos.com/v1", "web", monitor, labels=RELEASE),
    ]  # fmt: skip


def objects(python_image: str) -> list[Manifest]:
    """All of them; ``python_image`` is any image with a `python`."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
        *_issuers(),
        *_web("one", python_image),
        *_web("two", python_image),
        ingress("one"),
        *_monitoring(),
    ]
