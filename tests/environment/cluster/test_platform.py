"""The controllers of the embedded cluster act: certificates, monitoring, notifications, Ingresses.

With objects of its own in a namespace of its own, on the cluster that `make up` started; nothing of the program's.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from local.platform.names import alertmanager_address, notifications_address, prometheus_address
from tests.cluster.environment import Environment
from tests.environment.cluster import platform_objects
from tests.environment.cluster.platform_objects import HOST, SPACE, ingress
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def objects(system: Environment) -> Iterator[Environment]:
    """Everything that the tests wait for, applied at once: the controllers work on all of it side by side."""
    everything = platform_objects.objects(system.image("sample-service"))
    system.apply(everything)
    yield system
    system.delete(everything)


def _json(system: Environment, url: str) -> Any:
    return json.loads(system.ok("curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "5", url))


def _query(system: Environment, expression: str) -> list[dict[str, Any]]:
    parameters = urllib.parse.urlencode({"query": expression})
    url = f"http://{prometheus_address(system.instance)}:9090/api/v1/query?{parameters}"
    return _json(system, url)["data"]["result"]


def _ask(system: Environment, authority: str, scheme: str = "https") -> tuple[int, str, str]:
    """Status, body and Location of a request for HOST at the node's address; HTTPS is checked by this authority."""
    node = system.instance.node_address
    resolve = [part for port in (80, 443) for part in ("--resolve", f"{HOST}:{port}:{node}")]
    answer = system.run(
        "curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "5", "--cacert", authority, *resolve,
        "--write-out", "\n%{http_code}\n%{redirect_url}", f"{scheme}://{HOST}/",
    )  # fmt: skip
    body, _, rest = answer.output.rpartition("\n")
    body, _, code = body.rpartition("\n")
    return (int(code) if code.isdigit() else 0), body, rest


@pytest.fixture(scope="module")
def authority(objects: Environment, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the certificate of the test's own authority, once the server's certificate is ready."""
    ready = "{.status.conditions[?(@.type=='Ready')].status}"
    command = ("kubectl", "get", "certificate", "server", f"--namespace={SPACE}", f"--output=jsonpath={ready}")
    wait_until(lambda: objects.ok(*command) == "True", "the Certificate is ready", 60)
    secret = objects.get("secret", "server", f"--namespace={SPACE}")
    assert secret["type"] == "kubernetes.io/tls"
    path = tmp_path_factory.mktemp("authority") / "ca.crt"
    path.write_bytes(base64.b64decode(secret["data"]["ca.crt"]))
    return str(path)


def test_a_certificate_of_a_cluster_issuer_becomes_ready_and_is_of_its_authority(authority: str) -> None:
    assert ssl.create_default_context(cafile=authority).get_ca_certs()


def test_an_ingress_is_told_its_address(objects: Environment) -> None:
    def address() -> list[dict[str, str]]:
        found = objects.get("ingress", "web", f"--namespace={SPACE}")
        return found["status"].get("loadBalancer", {}).get("ingress", [])

    wait_until(lambda: address() == [{"ip": str(objects.instance.node_address)}], "the Ingress has the address", 30)


def test_an_ingress_answers_over_tls_and_follows_its_backend(objects: Environment, authority: str) -> None:
    wait_until(lambda: _ask(objects, authority)[:2] == (200, "one"), "the first backend answers", 60)
    objects.apply([ingress("two")])
    wait_until(lambda: _ask(objects, authority)[:2] == (200, "two"), "the second backend answers", 30)


def test_plain_http_is_redirected(objects: Environment, authority: str) -> None:
    wait_until(lambda: _ask(objects, authority, "http")[0] == 308, "a redirect", 30)
    assert _ask(objects, authority, "http")[2] == f"https://{HOST}/"


@pytest.mark.parametrize(
    ("job", "where"),
    [
        ("kubelet", 'metrics_path="/metrics"'),
        ("kubelet", 'metrics_path="/metrics/cadvisor"'),
        ("kube-state-metrics", ""),
        ("node-exporter", ""),
        ("cert-manager", ""),
        ("ingress-controller", ""),
        ("prometheus", ""),
        ("alertmanager", ""),
        ("prometheus-operator", ""),
    ],
)
def test_a_part_of_the_platform_is_scraped_under_its_job(objects: Environment, job: str, where: str) -> None:
    expression = f"up{{{','.join(filter(None, [f'job={json.dumps(job)}', where]))}}} == 1"
    wait_until(lambda: bool(_query(objects, expression)), f"{job} is up", 90)


@pytest.mark.parametrize(
    "expression",
    [
        'container_memory_working_set_bytes{namespace="crypto",container="postgres"} > 0',
        'kube_cronjob_info{namespace="crypto"}',
        'node_filesystem_avail_bytes{mountpoint="/"} > 0',
        'certmanager_certificate_ready_status{condition="True",name="server"} == 1',
    ],
)
def test_figures_of_the_system_arrive(objects: Environment, expression: str) -> None:
    wait_until(lambda: bool(_query(objects, expression)), f"there is {expression}", 90)


def test_a_service_monitor_of_any_namespace_is_followed_by_its_label(objects: Environment) -> None:
    wait_until(lambda: bool(_query(objects, f'up{{namespace="{SPACE}",job="web-one"}} == 1')), "the target is up")


@pytest.fixture(scope="module")
def received(objects: Environment) -> dict[str, Any]:
    """The first notification that the sink got for the tests' receiver."""

    def found() -> list[dict[str, Any]]:
        everything = _json(objects, f"http://{notifications_address(objects.instance)}:8080/")
        return [entry["notification"] for entry in everything if entry["receiver"] == SPACE]

    wait_until(lambda: bool(found()), "a notification")
    return found()[0]


def test_an_alert_reaches_the_receiver_of_its_route(received: dict[str, Any]) -> None:
    labels = [alert["labels"] for alert in received["alerts"]]
    assert [(found["alertname"], found["namespace"]) for found in labels] == [("AlwaysFiring", SPACE)]


def test_what_lacks_the_label_is_left_alone(objects: Environment, received: dict[str, Any]) -> None:
    assert received["status"] == "firing"
    groups = _json(objects, f"http://{prometheus_address(objects.instance)}:9090/api/v1/rules")["data"]["groups"]
    names = {entry["name"] for group in groups for entry in group["rules"]}
    assert "AlwaysFiring" in names
    assert "Unlabelled" not in names


def test_alertmanager_knows_the_alert(objects: Environment, received: dict[str, Any]) -> None:
    known = _json(objects, f"http://{alertmanager_address(objects.instance)}:9093/api/v2/alerts")
    fingerprints = {alert["fingerprint"] for alert in known}
    assert {alert["fingerprint"] for alert in received["alerts"]} <= fingerprints
