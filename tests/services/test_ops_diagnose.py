"""``ops diagnose`` against a Kubernetes API and a Prometheus API, whole, in parts, and killed."""

from __future__ import annotations

import json
import signal
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import fake_http, report_environment
from tests.services.fake_http import Fake, Page, as_json
from tests.services.ops_environment import PREFIX, Answer, finish
from tests.services.report_environment import Desk, by_query, prometheus_answer
from tests.services.servers import Server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(240)

_NAMESPACE = "/api/v1/namespaces/crypto"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, s3: Server) -> Iterator[Desk]:
    with report_environment.running(tmp_path_factory.mktemp("diagnose"), s3) as desk:
        yield desk


@pytest.fixture
def desk(started: Desk) -> Desk:
    started.reset()
    return started


@pytest.fixture
def prometheus(desk: Desk) -> Iterator[Fake]:
    with fake_http.serve() as fake:
        fake.pages |= by_query({}, prometheus_answer(({"instance": "node-1"}, "0.001")))
        desk.environment.configure(prometheus={"url": fake.url})
        yield fake
        desk.environment.configure(prometheus=None)


@pytest.fixture
def api(desk: Desk, prometheus: Fake) -> Iterator[Fake]:
    assert prometheus.port
    with report_environment.kubernetes(desk.environment.folder) as fake:
        _serve(fake)
        yield fake


def _list(*items: dict[str, Any]) -> Page:
    return as_json({"metadata": {}, "items": list(items)})


def _serve(api: Fake) -> None:
    def pod(name: str) -> dict[str, Any]:
        env = [{"name": "POSTGRES_PASSWORD", "value": "hunter2"}, {"name": "A", "value": "b"}]
        state: dict[str, Any] = {"name": "app", "state": {"running": {}}}
        return {
            "metadata": {"name": name, "labels": {"app": "api"}},
            "spec": {"containers": [{"name": "app", "env": env}]},
            "status": {"phase": "Running", "containerStatuses": [state]},
        }

    event = {
        "metadata": {},
        "type": "Warning",
        "reason": "BackOff",
        "message": "restarting with password=hunter2",
        "count": 7,
        "lastTimestamp": "2026-11-23T17:00:00Z",
        "involvedObject": {"kind": "Pod", "name": "api-1"},
    }
    usage = {"metadata": {"name": "api-1"}, "containers": [{"name": "app", "usage": {"cpu": "250m", "memory": "64Mi"}}]}
    node = {"metadata": {"name": "node-1"}, "usage": {"cpu": "1500000000n", "memory": "1024Ki"}}
    api.pages |= {
        f"{_NAMESPACE}/pods": _list(pod("api-1"), pod("api-2")),
        f"{_NAMESPACE}/events": _list(event),
        f"{_NAMESPACE}/pods/api-1/log": Page("2026-11-23T17:00:00Z ERROR token=hunter2\n", kind="text/plain"),
        f"{_NAMESPACE}/pods/api-2/log": Page("2026-11-23T17:00:00Z all well\n", kind="text/plain"),
        "/apis/metrics.k8s.io/v1beta1/namespaces/crypto/pods": _list(usage),
        "/apis/metrics.k8s.io/v1beta1/nodes": _list(node),
        f"{_NAMESPACE}/persistentvolumeclaims": _list(),
        f"{_NAMESPACE}/services": _list(),
        "/apis/batch/v1/namespaces/crypto/jobs": _list(),
        "/apis/autoscaling/v2/namespaces/crypto/horizontalpodautoscalers": _list(),
        "/apis/apps/v1/namespaces/crypto/statefulsets": _list(),
        "/apis/apps/v1/namespaces/crypto/deployments": _list({"metadata": {"name": "api"}}),
    }


def _files(path: Path) -> dict[str, str]:
    """The bundle's files by their names below its one folder."""
    found: dict[str, str] = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            found[member.name.partition("/")[2]] = content.read().decode()
    return found


def _run(desk: Desk, path: Path, *arguments: str) -> Answer:
    return desk.environment.ops("diagnose", "--output", str(path), "--json", *arguments)


def test_a_bundle_has_everything_and_no_secret(desk: Desk, api: Fake, tmp_path: Path) -> None:
    answer = _run(desk, tmp_path / "x.tar.gz")

    assert (answer.code, answer.json["failed"]) == (0, []), answer.stderr
    files = _files(tmp_path / "x.tar.gz")
    assert set(files) >= {
        "index.json",
        "health.json",
        "events.txt",
        "pods.txt",
        "pods/api-1.yaml",
        "pods/api-2.yaml",
        "logs/api-1_app.log",
        "logs/api-2_app.log",
        "deployments.yaml",
        "usage-pods.txt",
        "usage-nodes.txt",
        "metrics/api-latency-p95.json",
        "metrics/up.json",
    }
    assert "hunter2" not in "".join(files.values())
    assert "Pod/api-1: restarting with password=*** (7x)" in files["events.txt"]
    assert files["usage-pods.txt"] == "api-1/app cpu 0.250 memory 64 MiB\n"
    assert files["usage-nodes.txt"] == "node-1 cpu 1.500 memory 1 MiB\n"
    assert json.loads(files["metrics/up.json"])["series"] == [{"labels": {"instance": "node-1"}, "value": 0.001}]
    assert {part["name"] for part in json.loads(files["index.json"])["parts"]} >= {"events", "log api-1/app"}
    [asked] = [request for request in api.asked if request.path.endswith("api-1/log")]
    assert (asked.query["tailLines"], asked.query["limitBytes"]) == ("500", "262144")


def test_parts_that_fail_are_named_inside_and_the_others_are_there(
    desk: Desk, api: Fake, prometheus: Fake, tmp_path: Path
) -> None:
    never = threading.Event()
    api.pages[f"{_NAMESPACE}/events"] = as_json({}, 403)
    api.pages[f"{_NAMESPACE}/pods/api-1/log"] = Page("", kind="text/plain", hold=never)
    del api.pages["/apis/metrics.k8s.io/v1beta1/nodes"]
    prometheus.pages |= by_query({"ALERTS": Page("no", 503)}, prometheus_answer())
    try:
        answer = _run(desk, tmp_path / "x.tar.gz", "--timeout", "6")
    finally:
        never.set()

    assert answer.code == 0
    assert set(answer.json["failed"]) == {"events", "log api-1/app", "usage of nodes", "metrics alerts"}
    files = _files(tmp_path / "x.tar.gz")
    failed = {part["name"]: part.get("failed") for part in json.loads(files["index.json"])["parts"]}
    assert "not permitted" in failed["events"]
    assert "logs/api-2_app.log" in files
    assert "logs/api-1_app.log" not in files


@pytest.mark.usefixtures("prometheus")
def test_without_a_cluster_the_metrics_are_still_there(desk: Desk, tmp_path: Path) -> None:
    answer = _run(desk, tmp_path / "x.tar.gz", "--timeout", "6")

    assert answer.code == 0
    assert "pods and their logs" in answer.json["failed"]
    assert "metrics/up.json" in _files(tmp_path / "x.tar.gz")


def test_a_killed_run_leaves_no_bundle_and_the_next_one_is_whole(desk: Desk, api: Fake, tmp_path: Path) -> None:
    never = threading.Event()
    api.pages[f"{_NAMESPACE}/pods/api-1/log"] = Page("", kind="text/plain", hold=never)
    process = desk.environment.start("diagnose", "--output", str(tmp_path / "x.tar.gz"), "--json")
    wait_until(lambda: any(request.path.endswith("api-1/log") for request in api.asked), "it gathers")
    process.send_signal(signal.SIGKILL)
    finish(process)
    never.set()
    assert list(tmp_path.glob("*.gz")) == []
    _serve(api)

    assert _run(desk, tmp_path / "x.tar.gz").code == 0
    assert "index.json" in _files(tmp_path / "x.tar.gz")


@pytest.mark.usefixtures("api")
def test_a_place_that_cannot_be_written_is_wrong_usage(desk: Desk, tmp_path: Path) -> None:
    answer = _run(desk, tmp_path / "nowhere" / "x.tar.gz")

    assert answer.code == 2
    assert "cannot write the bundle" in answer.error


@pytest.mark.usefixtures("api")
def test_an_incident_opens_with_its_bundle_and_without_one_when_that_fails(desk: Desk) -> None:
    answer = desk.environment.ops("incident", "open", "P1", "API down", "--diagnose", "--json")

    assert answer.code == 0, answer.stderr
    identifier = answer.json["id"]
    names = [key.removeprefix(f"{PREFIX}incidents/{identifier}/") for key in sorted(desk.environment.keys())]
    assert len(names) == 2
    assert names[0].startswith("diagnosis-")
    assert names[1] == "ticket.md"
    assert f"diagnosis attached: {names[0]}" in desk.object(f"incidents/{identifier}/ticket.md")
    assert len(desk.told) == 1
