"""The platform's manifests, and when it counts as running."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.cluster.ingress_status import wants_address
from local.images.catalog import recipes
from local.paths import Instance
from local.platform import sink
from local.platform.install import key, missing, watched
from local.platform.manifests import manifests
from local.platform.names import IMAGES, NAMESPACES, RELEASE
from local.toolchain.versions import load

_INSTANCE = Instance("crypto", 7, Path("/nowhere/state"), Path("/nowhere/cache"))
_IMAGES = {name: f"localhost/crypto/{name}:1" for name in IMAGES}
_ALL = manifests(_INSTANCE, _IMAGES)
_WORKLOADS = [item for item in _ALL if item["kind"] in ("Deployment", "DaemonSet")]


def _containers() -> list[dict[str, Any]]:
    return [found for item in _WORKLOADS for found in item["spec"]["template"]["spec"]["containers"]]


def test_every_image_of_the_platform_is_built_here() -> None:
    assert set(IMAGES) <= set(recipes())
    assert {container["image"] for container in _containers()} <= set(_IMAGES.values())


def test_every_program_of_the_platform_image_is_started_by_something() -> None:
    started = {container["command"][0] for container in _containers()}
    # The operator itself names the reloader.
    assert set(recipes()["platform"].tools) - started == {"prometheus-config-reloader"}


def test_accounts_and_their_rights_come_before_what_uses_them() -> None:
    kinds = [item["kind"] for item in _ALL]
    last = max(position for position, kind in enumerate(kinds) if kind in ("Namespace", "ClusterRoleBinding"))
    assert last < min(position for position, kind in enumerate(kinds) if kind == "Deployment")


def test_each_account_that_a_pod_uses_exists_and_is_bound() -> None:
    accounts = {key(item)[1:] for item in _ALL if item["kind"] == "ServiceAccount"}
    bound = {
        (subject["namespace"], subject["name"])
        for item in _ALL
        if item["kind"] == "ClusterRoleBinding"
        for subject in item["subjects"]
    }
    used = {
        (item["metadata"]["namespace"], pod["serviceAccountName"])
        for item in _WORKLOADS
        if "serviceAccountName" in (pod := item["spec"]["template"]["spec"])
    }
    assert used
    assert used <= accounts == bound


@pytest.mark.parametrize("container", _containers(), ids=lambda found: found["name"])
def test_every_container_runs_without_privileges(container: dict[str, Any]) -> None:
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]


@pytest.mark.parametrize("item", _WORKLOADS, ids=lambda found: found["metadata"]["name"])
def test_no_pod_uses_a_namespace_or_a_folder_of_the_host(item: dict[str, Any]) -> None:
    pod = item["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert not any("hostPath" in volume for volume in pod.get("volumes", []))


def test_only_the_ingress_controller_takes_ports_of_the_node() -> None:
    taken = {
        (container["name"], port["hostPort"])
        for container in _containers()
        for port in container["ports"]
        if "hostPort" in port
    }
    assert taken == {("ingress-controller", 80), ("ingress-controller", 443)}
    enforced = {
        item["metadata"]["name"]: item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for item in _ALL
        if item["kind"] == "Namespace"
    }
    assert enforced == {"cert-manager": "restricted", "monitoring": "restricted", "ingress": "privileged"}
    assert set(enforced) == set(NAMESPACES)


def test_prometheus_and_alertmanager_select_in_all_namespaces_by_productions_label() -> None:
    expected = {
        "Prometheus": {"serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig"},
        "Alertmanager": {"alertmanagerConfig"},
    }
    servers = {item["kind"]: item["spec"] for item in _ALL if item["kind"] in expected}
    assert set(servers) == set(expected)
    for kind, selected in expected.items():
        for what in selected:
            assert servers[kind][f"{what}Selector"] == {"matchLabels": {"release": "kube-prometheus-stack"}}
            assert servers[kind][f"{what}NamespaceSelector"] == {}
    assert servers["Prometheus"]["version"] == f"v{load().version_of('prometheus')}"


def test_every_monitor_bears_the_label_and_finds_a_service() -> None:
    monitors = [item for item in _ALL if item["kind"] == "ServiceMonitor"]
    assert {item["metadata"]["name"] for item in monitors} >= {"kubelet", "kube-state-metrics", "node-exporter"}
    services = [item for item in _ALL if item["kind"] == "Service"]
    for monitor in monitors:
        assert monitor["metadata"]["labels"].items() >= RELEASE.items()
        wanted = monitor["spec"]["selector"]["matchLabels"]
        if monitor["metadata"]["name"] == "kubelet":
            continue
        found = [item for item in services if item["metadata"]["labels"].items() >= wanted.items()]
        assert len(found) == 1
        names = {port["name"] for port in found[0]["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= names


def test_fixed_addresses_are_of_the_slot_and_lie_where_kubernetes_gives_none_away() -> None:
    fixed = [item["spec"]["clusterIP"] for item in _ALL if item["kind"] == "Service" and "clusterIP" in item["spec"]]
    addresses = [address for address in fixed if address != "None"]
    assert len(set(addresses)) == len(addresses) == 3
    assert all(address.startswith("10.96.7.") and int(address.rsplit(".")[-1]) <= 16 for address in addresses)


def _present(**changes: Any) -> list[dict[str, Any]]:
    statuses: dict[str, dict[str, Any]] = {
        "Deployment": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
        "DaemonSet": {
            "observedGeneration": 2,
            "desiredNumberScheduled": 1,
            "updatedNumberScheduled": 1,
            "numberReady": 1,
        },
        "Prometheus": {"conditions": [{"type": "Available", "status": "True", "observedGeneration": 2}]},
        "Alertmanager": {"conditions": [{"type": "Available", "status": "True", "observedGeneration": 2}]},
    }
    return [
        {
            "kind": kind,
            "metadata": {"namespace": space, "name": name, "generation": 2},
            "spec": {"replicas": 1},
            "status": {**statuses[kind], **(changes.get(kind) or {})},
        }
        for kind, space, name in watched(_ALL)
    ]


def test_the_platform_runs_when_everything_runs_as_it_was_applied() -> None:
    assert missing(watched(_ALL), _present()) == []


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("Deployment", {"observedGeneration": 1}),
        ("Deployment", {"availableReplicas": 0}),
        ("Deployment", {"replicas": 2}),
        ("DaemonSet", {"desiredNumberScheduled": 0}),
        ("DaemonSet", {"numberReady": 0}),
        ("Prometheus", {"conditions": [{"type": "Available", "status": "False", "observedGeneration": 2}]}),
        ("Alertmanager", {"conditions": [{"type": "Available", "status": "True", "observedGeneration": 1}]}),
    ],
)
def test_what_does_not_run_yet_is_named(kind: str, change: dict[str, Any]) -> None:
    expected = {f"{space}/{name}" for found, space, name in watched(_ALL) if found == kind}
    lines = missing(watched(_ALL), _present(**{kind: change}))
    assert {line.split(":")[0] for line in lines} == expected


def test_what_is_not_there_is_named() -> None:
    assert "cert-manager/cert-manager: there is no such Deployment" in missing(watched(_ALL), [])


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), sink.handler(sink.Notifications()))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def _call(port: int, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    found = (answer.status, json.loads(answer.read()))
    connection.close()
    return found


def test_the_sink_shows_what_it_was_sent(port: int) -> None:
    assert _call(port, "POST", "/webhook/pager", '{"status": "firing"}')[0] == 200
    status, kept = _call(port, "GET", "/")
    assert status == 200
    assert [(entry["receiver"], entry["notification"]) for entry in kept] == [("pager", {"status": "firing"})]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [("POST", "/webhook/pager", "no json", 400), ("POST", "/webhook/pager", None, 400), ("POST", "/x", "{}", 404),
     ("GET", "/x", None, 404)],
)  # fmt: skip
def test_the_sink_keeps_nothing_of_a_wrong_request(
    port: int, method: str, path: str, body: str | None, status: int
) -> None:
    assert _call(port, method, path, body)[0] == status
    assert _call(port, "GET", "/") == (200, [])


def test_the_sink_keeps_the_last_notifications_only() -> None:
    notifications = sink.Notifications()
    for number in range(sink.KEPT + 1):
        notifications.add("pager", number)
    kept = notifications.all()
    assert len(kept) == sink.KEPT
    assert [kept[0]["notification"], kept[-1]["notification"]] == [1, sink.KEPT]


def _ingress(class_name: str, told: list[dict[str, str]], **metadata: str) -> dict[str, Any]:
    status = {"loadBalancer": {"ingress": told}}
    return {"metadata": {"name": "x", **metadata}, "spec": {"ingressClassName": class_name}, "status": status}


def test_an_ingress_of_the_class_is_told_its_address_once() -> None:
    assert wants_address(_ingress("skipper", []), "10.231.7.2")
    assert wants_address(_ingress("skipper", [{"ip": "10.231.8.2"}]), "10.231.7.2")
    assert not wants_address(_ingress("skipper", [{"ip": "10.231.7.2"}]), "10.231.7.2")
    assert not wants_address(_ingress("nginx", []), "10.231.7.2")
    assert not wants_address(_ingress("skipper", [], deletionTimestamp="2026-01-01T00:00:00Z"), "10.231.7.2")
