"""Faults that are changes of objects in the cluster."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from runbook import services
from scripts.clients.kubernetes import FIELD_MANAGER
from scripts.simulation.place import MONITORING, Place
from scripts.workloads import deployments

_VARIABLE: Final = "FAULT_CRASH_AT_START"
_NAME: Final = "simulated-volume"
_NAME_LABEL: Final = "app.kubernetes.io/name"
_RELEASE: Final = {"release": "kube-prometheus-stack"}
_CLOSED_PORT: Final = 9
_PROGRAM: Final = """
import http.server
PAGE = b'''# TYPE kubelet_volume_stats_used_bytes gauge
kubelet_volume_stats_used_bytes{namespace="%(namespace)s",persistentvolumeclaim="simulated"} 90
# TYPE kubelet_volume_stats_available_bytes gauge
kubelet_volume_stats_available_bytes{namespace="%(namespace)s",persistentvolumeclaim="simulated"} 10
'''
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(PAGE)
http.server.HTTPServer(("", 8080), Page).serve_forever()
"""


@contextmanager
def crash_loop(place: Place) -> Generator[None]:
    """A new pod of the sentiment service ends as it starts; the old ones serve on."""
    name = services.SENTIMENT.name
    path = deployments.path(place.namespace, name)

    def change(variable: dict[str, str]) -> None:
        container = {"name": name, "env": [{"name": _VARIABLE, **variable}]}
        template = {"spec": {"containers": [container]}}
        place.cluster.patch(path, {"spec": {"template": template}}, strategic=True)

    try:
        change({"value": "1"})
        yield
    finally:
        change({"$patch": "delete"})


def failing_run(cron_job: str) -> Callable[[Place], AbstractContextManager[None]]:
    """A run of this CronJob that fails, because its settings are not there."""

    @contextmanager
    def fault(place: Place) -> Generator[None]:
        owner = place.cluster.get(f"/apis/batch/v1/namespaces/{place.namespace}/cronjobs/{cron_job}")
        path = f"/apis/batch/v1/namespaces/{place.namespace}/jobs/simulated-{cron_job}"
        place.cluster.delete(path)
        try:
            place.cluster.apply(path, _failing(owner, f"simulated-{cron_job}"), manager=FIELD_MANAGER)
            yield
        finally:
            place.cluster.delete(path)

    return fault


def _failing(owner: Any, name: str) -> dict[str, Any]:
    template = copy.deepcopy(owner["spec"]["jobTemplate"])
    reference = {"apiVersion": "batch/v1", "kind": "CronJob", "controller": True}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
    spec: dict[str, Any] = {**template["spec"], "backoffLimit": 0}
    for container in spec["template"]["spec"]["containers"]:
        container["command"] = ["/bin/sh", "-c", "echo simulated failure; exit 1"]
        container.pop("args", None)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": template.get("metadata", {}).get("labels", {}),
            "ownerReferences": [reference],
        },
        "spec": spec,
    }


def closed_port(name: str) -> Callable[[Place], AbstractContextManager[None]]:
    """A Service that leads to a port on which nobody listens."""

    @contextmanager
    def fault(place: Place) -> Generator[None]:
        path = f"/api/v1/namespaces/{place.namespace}/services/{name}"
        found = place.cluster.get(path)
        before, owners = found["spec"]["ports"], found["metadata"].get("managedFields", [])
        try:
            changed = [{**port, "targetPort": _CLOSED_PORT} for port in before]
            place.cluster.patch(path, {"spec": {"ports": changed}})
            yield
        finally:
            place.cluster.patch(path, {"spec": {"ports": before}})
            place.cluster.patch(path, {"metadata": {"managedFields": owners}})

    return fault


@contextmanager
def full_volume(place: Place) -> Generator[None]:
    """An exporter that tells of a full volume: no folder of this environment can be full by itself."""
    image = place.cluster.get(f"/apis/apps/v1/namespaces/{MONITORING}/deployments/notifications")
    python = image["spec"]["template"]["spec"]["containers"][0]["image"]
    exporter, monitor = _exporter(python, _PROGRAM % {"namespace": place.namespace}), _monitor()
    # Prometheus forgets a target that goes within two scrapes. Where its monitor goes before that, it believes the last
    # scrape for five minutes.
    for path in monitor:
        place.afterwards.callback(place.cluster.delete, path)
    try:
        for path, body in (exporter | monitor).items():
            place.cluster.apply(path, body, manager=FIELD_MANAGER)
        yield
    finally:
        for path in exporter:
            place.cluster.delete(path)


def _metadata() -> dict[str, Any]:
    return {"name": _NAME, "namespace": MONITORING, "labels": {_NAME_LABEL: _NAME, **_RELEASE}}


def _exporter(image: str, program: str) -> dict[str, dict[str, Any]]:
    metadata = _metadata()
    container = {
        "name": "exporter",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", program],
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    ports = [{"name": "http", "port": 8080, "targetPort": "http"}]
    core = f"/api/v1/namespaces/{MONITORING}"
    return {
        f"{core}/pods/{_NAME}": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        f"{core}/services/{_NAME}": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {_NAME_LABEL: _NAME}, "ports": ports},
        },
    }


def _monitor() -> dict[str, dict[str, Any]]:
    endpoint = {"port": "http", "interval": "5s", "scrapeTimeout": "5s", "honorLabels": True}
    return {
        f"/apis/monitoring.coreos.com/v1/namespaces/{MONITORING}/servicemonitors/{_NAME}": {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "ServiceMonitor",
            "metadata": _metadata(),
            "spec": {"selector": {"matchLabels": {_NAME_LABEL: _NAME}}, "endpoints": [endpoint]},
        },
    }
