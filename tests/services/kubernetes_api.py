"""A Kubernetes API server as far as backups of resources need one: discovery, paged lists, server-side apply.

The real one is met in tests/cluster; this one can refuse, page and break off where a test wants it to.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.services.quiet_http import QuietServer, whole_body

NAMESPACE = "crypto"
_VERBS = ["create", "get", "list", "patch"]


@dataclass(slots=True)
class Kind:
    """A served kind: its path, and its objects by name."""

    group: str
    version: str
    plural: str
    name: str
    verbs: list[str] = field(default_factory=lambda: list(_VERBS))
    objects: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else "/api/v1"

    @property
    def path(self) -> str:
        return f"{self.root}/namespaces/{NAMESPACE}/{self.plural}"


@dataclass(slots=True)
class Api:
    """A running server. ``forbidden`` are plurals that may not be listed, ``applied`` what was patched, in order."""

    url: str = ""
    kinds: list[Kind] = field(default_factory=list[Kind])
    forbidden: set[str] = field(default_factory=set[str])
    broken_groups: set[str] = field(default_factory=set[str])
    may_apply: bool = True
    refused: dict[str, str] = field(default_factory=dict[str, str])
    applied: list[tuple[str, dict[str, Any], bool]] = field(default_factory=list[tuple[str, dict[str, Any], bool]])
    pages: int = 0

    def kind(self, plural: str) -> Kind:
        return next(kind for kind in self.kinds if kind.plural == plural)

    def add(self, plural: str, name: str, **content: Any) -> None:
        """An object; ``metadata`` is added to what every object has."""
        extra = content.pop("metadata", {})
        metadata = {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{plural}-{name}",
            "resourceVersion": "7",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generation": 3,
            "managedFields": [{"manager": "somebody"}],
        }
        self.kind(plural).objects[name] = {"metadata": metadata | extra, "status": {"phase": "Good"}, **content}

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """Status and body of a GET."""
        if path == "/version":
            return 200, {"gitVersion": "v1.36.3"}
        if path == "/apis":
            return 200, {"groups": self._groups()}
        served = [kind for kind in self.kinds if kind.root == path]
        if served or path == "/api/v1":
            if served and served[0].group in self.broken_groups:
                return 503, {"message": "no endpoints available"}
            return 200, {"resources": [self._resource(kind) for kind in served]}
        for kind in self.kinds:
            if kind.path == path:
                return self._list(kind, query)
        return 404, {"message": "the server could not find the requested resource"}

    def _groups(self) -> list[dict[str, Any]]:
        groups: dict[str, dict[str, Any]] = {}
        for kind in self.kinds:
            version = {"groupVersion": f"{kind.group}/{kind.version}", "version": kind.version}
            if kind.group:
                told = groups.setdefault(kind.group, {"name": kind.group, "versions": [], "preferredVersion": version})
                if version not in told["versions"]:
                    told["versions"].append(version)
        return list(groups.values())

    def _resource(self, kind: Kind) -> dict[str, Any]:
        return {"name": kind.plural, "kind": kind.name, "namespaced": True, "verbs": kind.verbs}

    def _list(self, kind: Kind, query: dict[str, list[str]]) -> tuple[int, Any]:
        if kind.plural in self.forbidden:
            return 403, {"message": f"{kind.plural} is forbidden"}
        self.pages += 1
        objects = list(kind.objects.values())
        start, limit = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
        more = str(start + limit) if start + limit < len(objects) else ""
        return 200, {"metadata": {"continue": more}, "items": objects[start : start + limit]}

    def patch(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> tuple[int, Any]:
        """Status and body of a server-side apply."""
        label = f"{body['kind']}/{body['metadata']['name']}"
        if not self.may_apply:
            return 403, {"message": f"{label} is forbidden"}
        if label in self.refused:
            return 422, {"message": self.refused[label]}
        parent = path.rpartition("/")[0]
        if body["kind"] != "Namespace" and parent not in {kind.path for kind in self.kinds}:
            return 404, {"message": "the server could not find the requested resource"}
        self.applied.append((path, body, query.get("dryRun") == ["All"]))
        return 200, body


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._send(*api.answer(parts.path, parse_qs(parts.query)))

        def do_PATCH(self) -> None:
            parts = urlsplit(self.path)
            assert self.headers["Content-Type"] == "application/apply-patch+yaml"
            body = json.loads(whole_body(self))
            self._send(*api.patch(parts.path, parse_qs(parts.query), body))

        def _send(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ARG002 - the base class names it so
            return

    return Handler


@contextmanager
def running(folder: Path) -> Generator[tuple[Api, Path]]:
    """A server with the kinds of the system and nothing in it, and a kubeconfig that leads to it."""
    api = Api(
        kinds=[
            *(
                Kind("", "v1", plural, name)
                for plural, name in (
                    ("configmaps", "ConfigMap"),
                    ("events", "Event"),
                    ("persistentvolumeclaims", "PersistentVolumeClaim"),
                    ("pods", "Pod"),
                    ("resourcequotas", "ResourceQuota"),
                    ("secrets", "Secret"),
                    ("serviceaccounts", "ServiceAccount"),
                    ("services", "Service"),
                )
            ),
            Kind("apps", "v1", "deployments", "Deployment"),
            Kind("apps", "v1", "replicasets", "ReplicaSet"),
            Kind("cert-manager.io", "v1", "certificates", "Certificate"),
            Kind("cert-manager.io", "v1", "issuers", "Issuer"),
            Kind("events.k8s.io", "v1", "events", "Event"),
            Kind("example.com", "v1beta1", "widgets", "Widget"),
            Kind("metrics.k8s.io", "v1beta1", "podmetrics", "PodMetrics", ["get", "list"]),
            Kind("networking.k8s.io", "v1", "ingresses", "Ingress"),
        ]
    )
    server = QuietServer(("127.0.0.1", 0), _handler(api))
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": api.url}}],
                "users": [{"name": "test", "user": {"token": "a-token-of-the-test"}}],
            }
        )
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api, kubeconfig
    finally:
        server.shutdown()
        server.server_close()
