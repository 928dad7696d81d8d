"""``ops restart``, ``ops upgrade`` and ``ops updates`` against an API that answers like Kubernetes'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster
from scripts.exits import OpsError
from scripts.simulation import pace
from scripts.workloads import errors, rollout
from tests.services import fake_http, kube_api, ops_runs, sinks
from tests.services.fake_http import Asked, Fake
from tests.services.fake_http import Page as HttpPage
from tests.services.kube_api import Fault, KubeApi, Object
from tests.services.ops_environment import Answer
from tests.services.ops_runs import Page, Runs
from tests.services.report_environment import prometheus_answer

pytestmark = pytest.mark.timeout(180)
_OLD = f"registry/analytics@sha256:{'0' * 64}"
_NEW = f"registry/analytics@sha256:{'1' * 64}"
_PATH = "/apis/apps/v1/namespaces/crypto/deployments/analytics"


@dataclass
class System:
    runs: Runs
    page: Page

    @property
    def api(self) -> KubeApi:
        return self.runs.api

    @property
    def deployment(self) -> Object:
        return self.api.objects[_PATH]

    @property
    def image(self) -> str:
        return self.deployment["spec"]["template"]["spec"]["containers"][0]["image"]

    def ops(self, *arguments: str) -> Answer:
        return self.runs.ops(*arguments)

    def upgrade(self, image: str = _NEW, *options: str) -> Answer:
        """Judged by health alone."""
        return self.judged(image, "--health-only", *options)

    def judged(self, image: str = _NEW, *options: str) -> Answer:
        return self.runs.ops("upgrade", "analytics", image, "--timeout", "1", "--watch", "0.1", *options)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    with kube_api.serving() as api, ops_runs.health_page() as page:
        runs = ops_runs.prepared(api, tmp_path, monkeypatch)
        runs.hurry()
        api.deployment("analytics", _OLD)
        runs.configure(services=[{"name": "analytics", "healthUrl": page.url}])
        yield System(runs, page)


def _breaks(image: str) -> Callable[[Object], str | None]:
    def broken(template: Object) -> str | None:
        return "ImagePullBackOff" if template["spec"]["containers"][0]["image"] == image else None

    return broken


def test_a_restart_replaces_the_pods_and_waits_for_the_new_ones(system: System) -> None:
    before = {path for path in system.api.objects if "/pods/" in path}
    answer = system.ops("restart", "analytics", "--json")
    after = {path for path in system.api.objects if "/pods/" in path}

    assert answer.code == 0
    assert len(before) == len(after) == 2
    assert not before & after
    assert "kubectl.kubernetes.io/restartedAt" in system.deployment["spec"]["template"]["metadata"]["annotations"]
    assert system.page.asked == 1


def test_a_restart_that_does_not_finish_says_what_its_pods_wait_for_and_is_not_begun_twice(system: System) -> None:
    system.api.broken = lambda _template: "CrashLoopBackOff"
    first = system.ops("restart", "analytics", "--timeout", "1")
    second = system.ops("restart", "analytics", "--timeout", "1")

    assert first.code == second.code == 1
    assert "analytics is not rolled out after 1.0 s: 1 of 2 pods are new" in first.error
    assert "analytics CrashLoopBackOff after 0 restarts" in first.error
    assert len(system.api.history) == 1


@pytest.mark.parametrize(
    ("strategy", "budget", "pods", "spared"),
    [
        ({"rollingUpdate": {"maxUnavailable": 0}}, {"minAvailable": 2}, 2, True),
        ({"rollingUpdate": {"maxUnavailable": 1}}, {"minAvailable": 2}, 2, False),
        ({"rollingUpdate": {"maxUnavailable": 1}}, {"minAvailable": "50%"}, 3, True),
        ({"rollingUpdate": {"maxUnavailable": "25%"}}, {"minAvailable": 3}, 4, True),
        ({"rollingUpdate": {"maxUnavailable": "50%"}}, {"maxUnavailable": 1}, 4, False),
        ({}, {"minAvailable": 4}, 4, False),
        ({"type": "Recreate"}, {"maxUnavailable": 1}, 2, False),
        ({"type": "Recreate"}, None, 2, True),
    ],
)
def test_no_restart_or_upgrade_takes_more_pods_than_the_disruption_budget_spares(
    system: System, strategy: dict[str, Any], budget: dict[str, Any] | None, pods: int, spared: bool
) -> None:
    system.api.deployment("analytics", _OLD, pods)["spec"]["strategy"] = strategy
    path = "/apis/policy/v1/namespaces/crypto/poddisruptionbudgets/"
    system.api.add(f"{path}other", {"spec": {"minAvailable": "100%", "selector": {"matchLabels": {"app": "other"}}}})
    if budget is not None:
        selector = {"selector": {"matchLabels": {"app": "analytics"}}}
        system.api.add(f"{path}analytics", {"spec": {**budget, **selector}})
    answers = [system.ops("restart", "analytics"), system.upgrade()]

    assert [answer.code for answer in answers] == ([0, 0] if spared else [1, 1])
    assert bool(system.api.history) is spared
    if not spared:
        assert all("and the budget analytics spares" in answer.error for answer in answers)


@pytest.mark.parametrize(
    ("budget", "spared"),
    [
        ({"minAvailable": 2, "selector": {}}, False),
        ({"minAvailable": 2, "selector": None}, True),
        ({"minAvailable": 2}, True),
        ({"minAvailable": 2, "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, False),
        ({"minAvailable": 2, "selector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, True),
        (
            {
                "minAvailable": 2,
                "selector": {
                    "matchLabels": {"app": "analytics"},
                    "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["analytics"]}],
                },
            },
            True,
        ),
        ({"selector": {}}, False),
    ],
    ids=str,
)
def test_a_budget_binds_the_pods_that_its_selector_matches(
    system: System, budget: dict[str, Any], spared: bool
) -> None:
    system.api.deployment("analytics", _OLD, 2)["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": 1}}
    system.api.add("/apis/policy/v1/namespaces/crypto/poddisruptionbudgets/all", {"spec": budget})
    answers = [system.ops("restart", "analytics"), system.upgrade()]

    assert [answer.code for answer in answers] == ([0, 0] if spared else [1, 1])


def test_a_budget_of_many_workloads_spares_what_all_of_their_pods_leave(system: System) -> None:
    system.api.deployment("analytics", _OLD, 2)["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": 1}}
    path = "/apis/policy/v1/namespaces/crypto/poddisruptionbudgets/all"
    content = system.api.add(path, {"spec": {"minAvailable": 20, "selector": {}}, "status": {"expectedPods": 20}})
    bound = system.ops("restart", "analytics")
    content["status"]["expectedPods"] = 21
    spared = system.ops("restart", "analytics")

    assert (bound.code, spared.code) == (1, 0)


def test_a_dry_run_of_a_restart_changes_nothing(system: System) -> None:
    answer = system.ops("restart", "analytics", "--dry-run")

    assert (answer.code, answer.stdout) == (0, "analytics would be restarted\n")
    assert system.api.history == []


def test_an_unknown_service_is_wrong_usage_and_the_known_ones_are_named(system: System) -> None:
    answers = [system.ops("restart", "analytic"), system.ops("upgrade", "analytic", _NEW)]

    assert [answer.code for answer in answers] == [2, 2]
    assert all("'analytic' is no service of the settings: give one of analytics" in answer.error for answer in answers)


@pytest.mark.parametrize(
    ("status", "done", "words"),
    [
        ({"observedGeneration": 1}, False, "not yet seen"),
        ({"updatedReplicas": 1, "replicas": 3}, False, "1 of 2 pods are new"),
        ({"updatedReplicas": 2, "replicas": 3}, False, "1 old pods are not gone"),
        ({"updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}, False, "1 of 2 pods are available"),
        ({"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}, True, "2 pods are available"),
    ],
)
def test_a_rollout_is_done_when_every_pod_is_new_and_available(status: dict[str, Any], done: bool, words: str) -> None:
    deployment = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": 2, **status}}
    progress = rollout.judge(deployment)

    assert progress.done is done
    assert words in progress.text


def test_a_paused_deployment_is_not_waited_for(system: System) -> None:
    system.deployment["spec"]["paused"] = True
    answer = system.ops("restart", "analytics", "--timeout", "60")

    assert answer.code == 1
    assert "is paused (go on by: kubectl -n crypto rollout resume deployment/analytics)" in answer.error


def test_an_upgrade_sets_the_image_and_forgets_the_one_from_before_once_it_is_proved(system: System) -> None:
    answer = system.upgrade(_NEW, "--json")
    again = system.upgrade(_NEW, "--json")

    assert (answer.code, system.image) == (0, _NEW)
    assert (answer.json["before"], answer.json["pinned"]) == (_OLD, True)
    assert system.deployment["metadata"]["annotations"] == {}
    assert again.json["result"] == f"{_NEW} runs already"
    assert len(system.api.history) == 2


def test_an_image_by_tag_is_warned_of(system: System) -> None:
    answer = system.upgrade("registry/analytics:2.0")

    assert answer.code == 0
    assert "named by a tag" in answer.stderr
    assert "named by a tag" in answer.stdout


@pytest.mark.parametrize("image", ["", "Registry/x y", "-x", "registry/analytics@sha256:12"])
def test_what_is_no_image_is_refused(system: System, image: str) -> None:
    answer = system.runs.ops("upgrade", "analytics", "--health-only", "--", image)

    assert answer.code == 2
    assert system.api.history == []


def test_an_image_that_does_not_come_up_is_undone_and_the_undo_is_proved(system: System) -> None:
    system.api.broken = _breaks(_NEW)
    answer = system.upgrade()

    assert answer.code == 1
    assert "ImagePullBackOff" in answer.error
    assert f"undone: {_OLD} runs again and answers" in answer.error
    assert system.image == _OLD
    assert system.deployment["metadata"]["annotations"] == {}
    assert {
        item["spec"]["containers"][0]["image"] for path, item in system.api.objects.items() if "/pods/" in path
    } == {_OLD}


def test_an_image_that_comes_up_and_gets_ill_is_undone_and_one_lost_answer_is_not_illness(system: System) -> None:
    system.page.first = [200, 503, 200]
    well = system.upgrade()
    system.page.first = [200, 503, 503, 503]
    ill = system.upgrade(_OLD)

    assert well.code == 0
    assert ill.code == 1
    assert "answers 503" in ill.error
    assert "3 times in a row" in ill.error
    assert system.image == _NEW


def test_an_undo_that_does_not_help_says_so(system: System) -> None:
    system.api.changed = lambda _path: setattr(system.page, "code", 503)
    answer = system.upgrade()

    assert answer.code == 1
    assert f"and {_OLD}, set again, does not come up either" in answer.error
    assert system.image == _OLD


def test_changes_of_the_autoscaler_do_not_stop_an_upgrade_and_a_change_of_the_image_does(system: System) -> None:
    system.api.faults.append(Fault("PATCH", "/deployments/", 409, times=3))
    answer = system.upgrade()
    system.api.faults.append(Fault("PATCH", "/deployments/", 409, times=99))
    stubborn = system.upgrade(_OLD)

    assert (answer.code, stubborn.code) == (0, 75)
    assert system.image == _NEW


_RATIO, _FAILED = " or 0 * ", "increase"


@dataclass
class Rates:
    """What a Prometheus answers: before the new image runs, and after it."""

    system: System
    fake: Fake
    before: tuple[str, str] | None = ("0.001", "1")
    after: tuple[str, str] | None = ("0.002", "2")
    gone: bool = False
    forbidden: bool = False

    def answer(self, request: Asked) -> HttpPage:
        new = self.system.image == _NEW
        if new and self.forbidden:
            return fake_http.as_json({"error": "no"}, 403)
        if new and self.gone:
            return fake_http.as_json({"error": "busy"}, 503)
        found, expression = self.after if new else self.before, request.query["query"]
        assert 'job="analytics"' in expression
        assert "[120s]" in expression
        if found is None:
            return prometheus_answer(({}, "0")) if _FAILED in expression else prometheus_answer()
        return prometheus_answer(({}, found[0] if _RATIO in expression else found[1]))


@pytest.fixture
def rates(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rates]:
    monkeypatch.setattr(errors, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(errors, "_EVERY_SECONDS", 0.01)
    with fake_http.serve() as fake:
        rates = Rates(system, fake)
        fake.pages["/api/v1/query"] = rates.answer
        system.runs.configure(prometheus={"url": fake.url})
        yield rates


def test_an_image_that_is_healthy_and_fails_requests_is_undone(rates: Rates) -> None:
    rates.after = ("0.0312", "40")
    answer = rates.system.judged()

    assert answer.code == 1
    assert "3.12% of its requests fail, more than 1.00% (40 in 120s)" in answer.error
    assert f"undone: {_OLD} runs again and answers" in answer.error
    assert rates.system.image == _OLD


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("0.001", "1"), ("0.0099", "90")),
        (("0.05", "9"), ("0.05", "9")),
        (("0", "0"), ("0.5", "2")),
        (None, None),
        (("NaN", "0"), ("NaN", "0")),
    ],
    ids=["below the limit", "as bad as before", "a lost request or two", "no series", "no requests"],
)
def test_what_is_no_fault_of_the_image_is_not_undone(
    rates: Rates, before: tuple[str, str] | None, after: tuple[str, str] | None
) -> None:
    rates.before, rates.after = before, after
    answer = rates.system.judged(_NEW, "--json")

    assert answer.code == 0, answer.stderr
    assert rates.system.image == _NEW
    told = answer.json["errorRate"]
    assert told["limit"] == max(0.01, float(before[0]) if before and before[0] != "NaN" else 0)
    assert (told["after"] is None) is (after is None or after[0] == "NaN")


def test_an_upgrade_that_nobody_could_watch_is_not_begun_or_undone(rates: Rates) -> None:
    rates.gone = True
    blind = rates.system.judged()
    undone = rates.system.image
    rates.system.runs.configure(prometheus={"url": "http://127.0.0.1:1"})
    seen = len(rates.system.api.history)
    absent = rates.system.judged()
    rates.system.runs.configure(prometheus=None)
    unnamed = rates.system.judged()

    assert (blind.code, undone) == (1, _OLD)
    assert "nobody could see its error rate" in blind.error
    assert (absent.code, unnamed.code) == (75, 2)
    assert "give prometheus.url, or --health-only" in unnamed.error
    assert len(rates.system.api.history) == seen


def test_an_image_is_undone_where_its_requests_may_no_longer_be_looked_at(rates: Rates) -> None:
    rates.forbidden = True
    answer = rates.system.judged()

    assert answer.code == 1
    assert "answers 403" in answer.error
    assert f"undone: {_OLD} runs again and answers" in answer.error
    assert rates.system.image == _OLD


def test_an_undo_is_told_as_one_where_its_note_cannot_be_taken_away(system: System) -> None:
    system.api.broken = _breaks(_NEW)
    # Back to the old image, then the note.
    system.api.changed = lambda _path: (
        system.api.faults.append(Fault("PATCH", "/deployments/", 503))
        if system.image == _OLD and system.api.history[1:]
        else None
    )
    answer = system.upgrade()

    assert answer.code == 1
    assert f"undone: {_OLD} runs again and answers" in answer.error
    assert "the note of the image from before is left" in answer.stderr


class _Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("good", [True, False], ids=["good", "bad"])
def test_an_upgrade_that_is_killed_and_run_again_ends_well(
    system: System, number: int, after: bool, good: bool
) -> None:
    if not good:
        system.api.broken = _breaks(_NEW)
    genuine, count = Cluster.patch, 0

    def patch(self: Cluster, path: str, change: Any, *, strategic: bool = False, dry_run: bool = False) -> Any:
        nonlocal count
        count += 1
        if count == number and not after:
            raise _Killed
        answer = genuine(self, path, change, strategic=strategic, dry_run=dry_run)
        if count == number and after:
            raise _Killed
        return answer

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Cluster, "patch", patch)
        try:
            system.upgrade()
        except _Killed:
            pass
        else:
            assert good
            assert number == 3
    again = system.upgrade()

    assert again.code == (0 if good else 1)
    assert system.image == (_NEW if good else _OLD)
    assert system.deployment["metadata"]["annotations"] == {}


def test_a_node_without_figures_hides_no_volume_of_the_others(system: System) -> None:
    api = system.api
    for node in ("node-1", "virtual"):
        api.add(f"/api/v1/namespaces/crypto/pods/{node}", {"spec": {"nodeName": node}})
    volume = {
        "pvcRef": {"name": "data", "namespace": "crypto"}, "capacityBytes": 10, "usedBytes": 1, "availableBytes": 9,
    }  # fmt: skip
    api.add("/api/v1/nodes/node-1/proxy/stats/summary", {"pods": [{"volume": [volume]}]})
    answer = system.ops("health", "--timeout", "2", "--json")
    found = {each["name"]: each["status"] for each in answer.json["checks"] if each["name"].startswith("volume")}

    assert found["volume data"] == "ok"
    assert found["volumes of node virtual"] == "unknown"


def test_what_a_simulation_changed_is_put_back_whatever_becomes_of_one_object(system: System, tmp_path: Path) -> None:
    folder = "/apis/monitoring.coreos.com/v1/namespaces/crypto/prometheusrules"
    before = '{"spec": {"groups": []}, "managedFields": []}'
    for name in ("a", "b", "c"):
        metadata = {"annotations": {pace.ANNOTATION: before}}
        system.api.add(f"{folder}/{name}", {"metadata": metadata, "spec": {"groups": [{"interval": "3s"}]}})
    system.api.faults += [Fault("PATCH", f"{folder}/a", 422), Fault("PATCH", f"{folder}/b", 404)]
    with kubernetes.connect(5, system.api.kubeconfig(tmp_path)) as cluster:
        with pytest.raises(OpsError, match="422"):
            pace.restore(cluster, "crypto", "monitoring")
        others = system.api.objects[f"{folder}/c"]["spec"]
        pace.restore(cluster, "crypto", "monitoring")

    assert others == {"groups": []}
    assert [system.api.objects[f"{folder}/{name}"]["spec"] for name in "abc"] == [others] * 3


def _cron_job(api: KubeApi, name: str, schedule: str, success: timedelta | None, **spec: Any) -> None:
    now = datetime.now(UTC)
    template = {"spec": {"template": {"spec": {"containers": [{"name": "ops", "image": _OLD}]}}}}
    api.add(
        f"/apis/batch/v1/namespaces/crypto/cronjobs/{name}",
        {
            "metadata": {"creationTimestamp": (now - timedelta(days=60)).isoformat()},
            "spec": {"schedule": schedule, "jobTemplate": template, **spec},
            "status": {} if success is None else {"lastSuccessfulTime": (now - success).isoformat()},
        },
    )


def test_the_agenda_names_what_is_overdue_restarts_and_is_not_pinned(system: System) -> None:
    system.runs.as_job("monthly-maintenance")
    api = system.api
    api.deployment("sentiment", "registry/sentiment:latest")
    pod = next(item for path, item in api.objects.items() if "/pods/sentiment" in path)
    pod["status"] |= {"startTime": "2026-01-05T10:00:00Z"}
    pod["status"]["containerStatuses"][0] |= {
        "restartCount": 7,
        "imageID": f"registry/sentiment@sha256:{'a' * 64}",
        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    }
    _cron_job(api, "good", "0 2 * * *", timedelta(hours=24, minutes=30))
    _cron_job(api, "late", "0 2 * * *", timedelta(hours=25, minutes=30))
    _cron_job(api, "weekly", "0 3 * * 0", timedelta(days=6))
    _cron_job(api, "never", "0 9 1 * *", None)
    _cron_job(api, "off", "0 2 * * *", timedelta(hours=1), suspend=True)
    with sinks.mail_server() as server:
        mail = {"host": "127.0.0.1", "port": server.port, "sender": "o@example.com", "recipients": ["a@example.com"]}
        system.runs.configure(mail={**mail, "tls": False})
        data = system.ops("updates", "--json")
    people = system.ops("updates", "--silent")

    assert data.code == people.code == 0
    assert [line.split(":")[0] for line in data.json["overdue"]] == ["CronJob late", "CronJob never", "CronJob off"]
    assert data.json["restarting"] == [
        f"{pod['metadata']['name']}/sentiment: 7 restarts, the last one OOMKilled with code 137"
    ]
    assert data.json["unpinned"] == ["Deployment sentiment: registry/sentiment:latest"]
    assert data.json["images"][0] == {
        "name": "registry/sentiment:latest",
        "digest": f"sha256:{'a' * 64}",
        "containers": 1,
        "since": "2026-01-05T10:00:00Z",
    }
    assert len(server.received) == 1
    assert "5 to look at" in server.received[0]["Subject"]
    assert people.stdout.splitlines()[0] == "CronJobs without a success in their period:"
    assert api.patches() == []


def test_an_agenda_with_nothing_on_it_says_so(system: System) -> None:
    answer = system.ops("updates", "--silent")

    assert answer.code == 0
    assert answer.stdout.count("\n  none\n") == 3
    assert _OLD in answer.stdout
