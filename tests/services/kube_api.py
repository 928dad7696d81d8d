"""A Kubernetes API over real HTTP, as small as the tests need it: objects, lists, patches, rights, and rollouts.

It answers what an API server answers: 404 for what is missing, 403 for what an account may not do, 409 for a change of
another version, 422 for what is invalid. A Deployment whose template changes is rolled out at once, or not at all.
Where it is told which kinds it serves, it tells of them, and server-side apply makes their objects.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import yaml

from runbook.jobs import Right
from tests.services.quiet_http import QuietServer, whole_body

NAMESPACE = "crypto"
Object = dict[str, Any]
_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?"
)
_MERGE, _STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"


@dataclass
class Fault:
    """Answer ``code`` to requests of ``method`` whose path has ``part`` in it, ``times`` times; 0 hangs up.

    Without a ``message`` the answer repeats what was sent, as an unfriendly server does.
    """

    method: str
    part: str
    code: int
    times: int = 1
    message: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind that the API tells of."""

    group: str
    version: str
    plural: str
    name: str
    verbs: tuple[str, ...] = ("create", "get", "list", "patch")

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else "/api/v1"

    @property
    def path(self) -> str:
        return f"{self.root}/namespaces/{NAMESPACE}/{self.plural}"


# Kinds of the system, of an extension, one that can only be read, and one that two groups serve.
KINDS: Final = (
    Kind("", "v1", "configmaps", "ConfigMap"),
    Kind("", "v1", "events", "Event"),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Kind("", "v1", "pods", "Pod"),
    Kind("", "v1", "resourcequotas", "ResourceQuota"),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount"),
    Kind("", "v1", "services", "Service"),
    Kind("apps", "v1", "deployments", "Deployment"),
    Kind("apps", "v1", "replicasets", "ReplicaSet"),
    Kind("cert-manager.io", "v1", "certificates", "Certificate"),
    Kind("cert-manager.io", "v1", "issuers", "Issuer"),
    Kind("events.k8s.io", "v1", "events", "Event"),
    Kind("example.com", "v1beta1", "widgets", "Widget"),
    Kind("metrics.k8s.io", "v1beta1", "podmetrics", "PodMetrics", ("get", "list")),
    Kind("networking.k8s.io", "v1", "ingresses", "Ingress"),
)


@dataclass
class KubeApi:
    """The state of the API.

    ``rights`` limits what may be done, None allows everything; ``broken`` tells for a pod template why its container
    waits, or None where its pods become ready.
    """

    url: str = ""
    kinds: list[Kind] = field(default_factory=list[Kind])
    objects: dict[str, Object] = field(default_factory=dict[str, Object])
    rights: Sequence[Right] | None = None
    faults: list[Fault] = field(default_factory=list[Fault])
    broken: Callable[[Object], str | None] = lambda _template: None
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    # Path and parameters of every change, in order.
    queries: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    refused: list[str] = field(default_factory=list[str])
    history: list[Object] = field(default_factory=list[Object])
    # Path and object of every server-side apply that was taken, and whether it was a dry run.
    applied: list[tuple[str, Object, bool]] = field(default_factory=list[tuple[str, Object, bool]])
    # Called with the path after a change was made and before it is answered.
    changed: Callable[[str], None] = lambda _path: None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, path: str, content: Object) -> Object:
        """Put an object under its path."""
        content.setdefault("metadata", {}).setdefault("name", path.rpartition("/")[2])
        content["metadata"].setdefault("resourceVersion", "1")
        self.objects[path] = content
        return content

    def add_served(self, plural: str, name: str, **content: Any) -> None:
        """Put an object of the kinds of that name under their paths, with what an API server adds to it."""
        metadata: Object = {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{plural}-{name}",
            "resourceVersion": "7",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generation": 3,
            "managedFields": [{"manager": "somebody", "fields": []}],
            **content.pop("metadata", {}),
        }
        for kind in (kind for kind in self.kinds if kind.plural == plural):
            self.add(f"{kind.path}/{name}", {"metadata": metadata, "status": {"phase": "Good"}, **content})

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig that leads here."""
        entry: Callable[[str, Object], list[Object]] = lambda kind, content: [{"name": "x", kind: content}]  # noqa: E731
        content = {
            "current-context": "x",
            "contexts": entry("context", {"cluster": "x", "user": "x"}),
            "clusters": entry("cluster", {"server": self.url}),
            "users": entry("user", {"token": "token-of-the-test"}),
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(content))
        return file

    def patches(self, part: str = "") -> list[str]:
        """The paths that were changed, in order."""
        return [path for method, path in self.requests if method == "PATCH" and part in path]

    def deployment(self, name: str, image: str = "crypto/app@sha256:0", replicas: int = 2) -> Object:
        """A Deployment that is rolled out, with its pods."""
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": name, "image": image}]},
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}"
        metadata = {"name": name, "namespace": NAMESPACE, "generation": 1}
        made = self.add(path, {"metadata": metadata, "spec": spec})
        self._roll(made)
        return made

    def autoscaler(self, name: str, least: int | None, most: int) -> Object:
        """A HorizontalPodAutoscaler."""
        spec: Object = {"maxReplicas": most} | ({} if least is None else {"minReplicas": least})
        return self.add(f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/{name}", {"spec": spec})

    def answer(self, method: str, url: str, kind: str, body: bytes) -> tuple[int, Object]:
        """Status and body of the answer."""
        with self.lock:
            parts = urlsplit(url)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            self.requests.append((method, parts.path))
            if (fault := self._fault(method, parts.path)) is not None:
                self.refused.append(body.decode())
                return fault.code, {"message": fault.message or f"fault of the test: {body.decode()}"}
            match = _PATH.fullmatch(parts.path)
            if match is None:
                told = self._discovery(parts.path)
                return (404, {"message": "no such path"}) if told is None else (200, told)
            if not self._allowed(match, method):
                return 403, {"message": "forbidden"}
            if method == "PATCH":
                self.queries.append((parts.path, query))
                return self._patch(parts.path, kind, json.loads(body), query)
            if match["name"] is None:
                return 200, self._list(parts.path, query)
            found = self.objects.get(parts.path)
            return (404, {"message": f"{match['name']} not found"}) if found is None else (200, found)

    def secret(self, name: str, data: dict[str, str], **metadata: Any) -> Object:
        """A Secret; ``data`` in plain text."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        metadata = {"creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {}, **metadata}
        return self.add(
            f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}", {"metadata": {"name": name, **metadata}, "data": encoded}
        )

    def decoded(self, name: str) -> dict[str, str]:
        """What a Secret holds now, in plain text."""
        data = self.objects[f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.method == method and fault.part in path:
                fault.times -= 1
                return fault
        return None

    def _discovery(self, path: str) -> Object | None:
        """What the API tells of itself."""
        if "/proxy/" in path:
            return self.objects.get(path)
        if path == "/version":
            return {"gitVersion": "v1.36.3"}
        if path == "/apis":
            groups: dict[str, Object] = {}
            for kind in (kind for kind in self.kinds if kind.group):
                version = {"groupVersion": f"{kind.group}/{kind.version}", "version": kind.version}
                groups[kind.group] = {"name": kind.group, "versions": [version], "preferredVersion": version}
            return {"groups": list(groups.values())}
        served = [kind for kind in self.kinds if kind.root == path]
        told = [{"name": k.plural, "kind": k.name, "namespaced": True, "verbs": list(k.verbs)} for k in served]
        return {"resources": told} if told else None

    def _allowed(self, match: re.Match[str], method: str) -> bool:
        verb = {"PATCH": "patch", "GET": "get" if match["name"] else "list"}.get(method, method)
        resource = match["resource"] + (f"/{match['sub']}" if match["sub"] else "")
        return self.rights is None or any(
            verb in right.verbs
            and resource in right.resources
            and right.api_group == (match["group"] or "")
            and (not right.names or match["name"] in right.names)
            and (match["namespace"] is not None or right.cluster)
            for right in self.rights
        )

    def _list(self, path: str, query: dict[str, str]) -> Object:
        found = [content for name, content in sorted(self.objects.items()) if name.rpartition("/")[0] == path]
        if wanted := query.get("labelSelector"):
            pairs = dict(pair.split("=") for pair in wanted.split(",") if "=" in pair)
            found = [item for item in found if pairs.items() <= item["metadata"].get("labels", {}).items()]
        start, limit = int(query.get("continue") or 0), int(query.get("limit", 500))
        rest = start + limit if start + limit < len(found) else ""
        return {"metadata": {"continue": str(rest)}, "items": found[start : start + limit]}

    def _patch(self, path: str, kind: str, change: Object, query: dict[str, str]) -> tuple[int, Object]:
        keep = "dryRun" not in query
        # A status is changed under a path of its own.
        path = path.removesuffix("/status")
        found = self.objects.get(path)
        if found is None and kind == _APPLY and self._makes(path):
            found = {"metadata": {"resourceVersion": "0"}}
        if found is None:
            return 404, {"message": "not found"}
        version = change.get("metadata", {}).get("resourceVersion")
        if version not in (None, found["metadata"]["resourceVersion"]):
            return 409, {"message": "the object has been modified"}
        assert kind in (_MERGE, _STRATEGIC, _APPLY), kind
        if kind == _APPLY:
            changed = _applied(found, change, query["fieldManager"])
            self.applied.append((path, change, not keep))
        else:
            changed = _merged(found, change, named=kind == _STRATEGIC)
            _disowned(found, changed)
        spec = changed.get("spec", {})
        if spec.get("minReplicas", 1) > spec.get("maxReplicas", 10**6):
            return 422, {"message": "spec.maxReplicas: must be greater than or equal to minReplicas"}
        if keep and changed != found:
            changed["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
            self.objects[path] = changed
            self.history.append(deepcopy(changed))
            if spec.get("template") != found.get("spec", {}).get("template"):
                changed["metadata"]["generation"] += 1
                self._roll(changed)
        return 200, changed

    def _makes(self, path: str) -> bool:
        """Whether server-side apply makes an object at a path: of a kind that is told of, and a namespace."""
        collection = path.rpartition("/")[0]
        return any(collection in (kind.path, "/api/v1/namespaces") for kind in self.kinds)

    def _roll(self, deployment: Object) -> None:
        """What the controllers and the kubelet do."""
        name, spec = deployment["metadata"]["name"], deployment["spec"]
        generation, count = deployment["metadata"]["generation"], spec["replicas"]
        reason = self.broken(spec["template"])
        prefix = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}-"
        if reason is None:
            for path in [path for path in self.objects if path.startswith(prefix)]:
                del self.objects[path]
            self._pods(deployment, range(count), None)
            status = {"replicas": count, "updatedReplicas": count, "availableReplicas": count}
        else:
            self._pods(deployment, range(1), reason)
            status = {"replicas": count + 1, "updatedReplicas": 1, "availableReplicas": count}
        deployment["status"] = status | {"observedGeneration": generation, "conditions": []}

    def _pods(self, deployment: Object, numbers: range, reason: str | None) -> None:
        name, template = deployment["metadata"]["name"], deployment["spec"]["template"]
        waiting: Object = {"running": {}} if reason is None else {"waiting": {"reason": reason}}
        for number in numbers:
            pod = f"{name}-{deployment['metadata']['generation']}-{number}"
            container = template["spec"]["containers"][0]
            status = {"name": name, "restartCount": 0, "state": waiting, "image": container["image"]}
            ready = {"type": "Ready", "status": "False" if reason else "True"}
            self.add(
                f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}",
                {
                    "metadata": {**deepcopy(template["metadata"]), "name": pod},
                    "spec": deepcopy(template["spec"]),
                    "status": {"phase": "Running", "conditions": [ready], "containerStatuses": [status]},
                },
            )


def _merged(old: Any, change: Any, *, named: bool) -> Any:
    """A JSON merge patch (RFC 7386); with ``named``, lists of named things are merged by their names."""
    if named and isinstance(old, list) and isinstance(change, list):
        items: Object = {item["name"]: item for item in cast("list[Object]", old)}
        for item in cast("list[Object]", change):
            items[item["name"]] = _merged(items.get(item["name"], {}), item, named=named)
        return deepcopy(list(items.values()))
    if not isinstance(change, dict):
        return deepcopy(change)
    result: Object = deepcopy(cast("Object", old)) if isinstance(old, dict) else {}
    for key, value in cast("Object", change).items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value, named=named)
    return result


def owned(item: Object, manager: str) -> set[str]:
    """The fields that ``manager`` has applied, as paths with slashes."""
    listed = cast("list[Object]", item["metadata"].get("managedFields") or [])
    return {path for entry in listed if entry["manager"] == manager for path in entry["fields"]}


def _leaves(content: Object, start: str = "") -> dict[str, Any]:
    """The fields of an object by their paths; a list is one field, as the rules of an Ingress are."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        where = f"{start}/{key.replace('/', '~1')}"
        found |= _leaves(cast("Object", value), where) if isinstance(value, dict) else {where: value}
    identity = ("/apiVersion", "/kind", "/metadata/name", "/metadata/namespace", "/metadata/resourceVersion")
    return {path: value for path, value in found.items() if path not in identity}


def _put(item: Object, path: str, value: Any) -> None:
    *parents, last = (part.replace("~1", "/") for part in path[1:].split("/"))
    for part in parents:
        item = item.setdefault(part, {})
    if value is None:
        item.pop(last, None)
    else:
        item[last] = value


def _applied(old: Object, body: Object, manager: str) -> Object:
    """Server-side apply by force: others lose what differs, and what nobody applies any more is gone."""
    result, wanted = deepcopy(old), _leaves(body)
    entries: list[Object] = result["metadata"].setdefault("managedFields", [])
    before = owned(result, manager)
    entries[:] = [entry for entry in entries if entry["manager"] != manager]
    present = _leaves({key: value for key, value in old.items() if key != "metadata"}) | _leaves(
        {"metadata": {"annotations": old["metadata"].get("annotations") or {}}}
    )
    for entry in entries:
        entry["fields"] = [f for f in entry["fields"] if f not in wanted or present.get(f) == wanted[f]]
    for path in before - set(wanted):
        if not any(path in entry["fields"] for entry in entries):
            _put(result, path, None)
    for path, value in wanted.items():
        _put(result, path, value)
    if wanted:
        entries.append({"manager": manager, "operation": "Apply", "fields": sorted(wanted)})
    return result


def _disowned(old: Object, changed: Object) -> None:
    """A plain patch takes the fields that it changes from those who had applied them."""
    before, after = (_leaves(item) for item in (old, changed))
    for entry in cast("list[Object]", changed["metadata"].get("managedFields") or []):
        entry["fields"] = [path for path in entry["fields"] if before.get(path) == after.get(path)]
    if "managedFields" in changed["metadata"]:
        changed["metadata"]["managedFields"] = [e for e in changed["metadata"]["managedFields"] if e["fields"]]


@contextmanager
def serving(kinds: Sequence[Kind] = ()) -> Generator[KubeApi]:
    """A ``KubeApi`` that answers on 127.0.0.1 and tells of some kinds."""
    state = KubeApi(kinds=[*kinds])

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Header and body leave in one packet each way: else every request waits for a delayed acknowledgement.
        wbufsize = 65536
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = whole_body(self)
            code, content = state.answer(self.command, self.path, self.headers.get("Content-Type", ""), body)
            if self.command == "PATCH" and "dryRun" not in self.path:
                state.changed(self.path)
            if code == 0:
                self.close_connection = True
                return
            text = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._serve()

        def do_PATCH(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Nothing: the test's output is not the place."""

    server = QuietServer(("127.0.0.1", 0), Page)
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
