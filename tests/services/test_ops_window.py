"""``ops maintenance`` against an API that answers like Kubernetes', with the rights of the on-call role."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.access import ON_CALL_RIGHTS
from runbook import maintenance
from runbook.jobs import Right
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster
from tests.services import kube_api, ops_runs, sinks
from tests.services.api_server import api_server
from tests.services.kube_api import Fault, Object
from tests.services.ops_environment import Answer, finish
from tests.services.ops_runs import Runs

pytestmark = pytest.mark.timeout(180)
_INGRESS = "/apis/networking.k8s.io/v1/namespaces/crypto/ingresses/api-gateway"
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/crypto/leases/maintenance"
_JOBS = "/apis/batch/v1/namespaces/crypto/cronjobs/"
_GATEWAY = {"service": {"name": "api-gateway-service", "port": {"number": 8000}}}
_PAGE = {"service": {"name": "maintenance", "port": {"number": 80}}}
# What the group has beside its own Role: Kubernetes' role `view`.
_VIEW = (
    Right(("ingresses",), ("get", "list"), "networking.k8s.io"),
    Right(("cronjobs", "jobs"), ("get", "list"), "batch"),
    Right(("deployments",), ("get", "list"), "apps"),
)


def _rules(backend: Object) -> list[Object]:
    return [{"host": "crypto.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]


@dataclass
class System:
    runs: Runs

    @property
    def ingress(self) -> Object:
        return self.runs.api.objects[_INGRESS]

    @property
    def lease(self) -> Object:
        return self.runs.api.objects[_LEASE]

    @property
    def suspended(self) -> set[str]:
        found = {name: item for name, item in self.runs.api.objects.items() if name.startswith(_JOBS)}
        assert len(found) == 3
        return {name.removeprefix(_JOBS) for name, item in found.items() if item["spec"].get("suspend")}

    def job(self, name: str) -> Object:
        return self.runs.api.objects[_JOBS + name]

    def ops(self, *arguments: str) -> Answer:
        return self.runs.ops("maintenance", *arguments)

    def shape(self) -> Any:
        """What users and the clock notice, and what is written down about it, without versions and times."""
        whole = {path: deepcopy(item) for path, item in self.runs.api.objects.items()}
        for item in whole.values():
            item["metadata"].pop("resourceVersion", None)
            item["metadata"].pop("managedFields", None)
            item.get("status", {}).pop("lastScheduleTime", None)
            for part in ("acquireTime", "renewTime", "leaseDurationSeconds"):
                item.get("spec", {}).pop(part, None)
            for part in ("annotations", "spec"):
                if part in item["metadata"] and not item["metadata"][part]:
                    del item["metadata"][part]
        return whole


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    with kube_api.serving() as api:
        runs = ops_runs.prepared(api, tmp_path, monkeypatch)
        # The first was suspended by somebody for a reason of his own.
        for name, schedule, more in (
            ("by-hand", "0 1 * * *", {"suspend": True}),
            ("backup-postgres", "* * * * *", {}),
            ("drill", "0 6 1 1 *", {}),
        ):
            api.add(_JOBS + name, {"spec": {"schedule": schedule, "timeZone": "UTC", **more}, "status": {}})
        spec = {"tls": [{"hosts": ["crypto.example"], "secretName": "tls-secret"}], "rules": _rules(_GATEWAY)}
        fields = [{"manager": "pulumi-kubernetes-1", "operation": "Apply", "fields": ["/spec/rules", "/spec/tls"]}]
        api.add(_INGRESS, {"metadata": {"name": "api-gateway", "managedFields": fields}, "spec": spec})
        by_hand = [{"manager": "kubectl-patch", "operation": "Update", "fields": ["/spec/suspend"]}]
        api.objects[_JOBS + "by-hand"]["metadata"]["managedFields"] = by_hand
        api.add(_LEASE, {"metadata": {"annotations": {maintenance.DECLARED: "false"}}, "spec": {}})
        api.deployment("maintenance")
        api.deployment("api-gateway")
        api.rights = [*ON_CALL_RIGHTS, *_VIEW]
        yield System(runs)


def test_on_shows_the_page_under_the_same_host_and_certificate_and_off_restores_everything(system: System) -> None:
    before, shape = deepcopy(system.ingress["spec"]), system.shape()
    on = system.ops("on", "--for", "90m", "--reason", "PostgreSQL 17", "--by", "ann", "--json")
    during, waiting = deepcopy(system.ingress["spec"]), system.suspended
    off = system.ops("off", "--by", "ann", "--json")

    assert (on.code, off.code) == (0, 0), on.stderr + off.stderr
    assert during == {**before, "rules": _rules(_PAGE)}
    assert waiting == {"by-hand", "backup-postgres", "drill"}
    assert (on.json["mode"], on.json["holder"], on.json["reason"]) == ("on", "ann", "PostgreSQL 17")
    length = datetime.fromisoformat(on.json["until"]) - datetime.now(UTC)
    assert timedelta(minutes=89) < length <= timedelta(minutes=90)
    assert off.json["mode"] == "off"
    assert system.ingress["spec"] == before
    assert system.shape() == shape


def test_what_somebody_else_suspended_stays_suspended(system: System) -> None:
    system.ops("on")
    off = system.ops("off", "--json")

    assert off.code == 0
    assert system.suspended == {"by-hand"}


def test_the_missed_runs_are_named_and_not_fired(system: System) -> None:
    system.ops("on")
    system.lease["spec"]["acquireTime"] = "2026-01-01T00:00:00.000000Z"
    before = datetime.now(UTC).replace(microsecond=0)
    off = system.ops("off", "--json")

    assert "backup-postgres" in off.json["missed"]
    assert "by-hand" not in off.json["missed"], "it would not have run anyway"
    for name in ("backup-postgres", "drill"):
        # The controller looks for runs after this moment only.
        assert datetime.fromisoformat(system.job(name)["status"]["lastScheduleTime"]) >= before
    order = system.runs.api.patches(_JOBS + "drill")
    assert order[-2:] == [f"{_JOBS}drill/status", f"{_JOBS}drill"], "resumed before it had nothing to catch up"


def test_twice_changes_nothing_and_holds_the_lock_for_longer(system: System) -> None:
    first = system.ops("on", "--for", "10m", "--json")
    ingress = deepcopy(system.ingress)
    again = system.ops("on", "--for", "2h", "--json")

    assert again.json["changed"] == []
    assert again.json["since"] == first.json["since"]
    assert again.json["until"] > first.json["until"]
    assert system.ingress == ingress
    assert system.ops("off").code == 0
    assert system.ops("off", "--json").json["changed"] == []


def test_the_lock_excludes_others_until_its_time_is_over(system: System) -> None:
    system.ops("on", "--by", "ann", "--reason", "disk")
    answers = [system.ops(word, "--by", "bob") for word in ("on", "off")]
    shape = system.shape()
    taken = system.ops("on", "--by", "bob", "--take-over", "--json")
    system.lease["spec"]["renewTime"] = "2026-01-01T00:00:00.000000Z"
    late = system.ops("status", "--json")
    expired = system.ops("off", "--by", "ann", "--json")

    assert [answer.code for answer in answers] == [75, 75]
    assert all("ann holds the maintenance lock until" in answer.error for answer in answers)
    assert all("(disk)" in answer.error for answer in answers)
    assert shape[_LEASE]["spec"]["holderIdentity"] == "ann"
    assert taken.json["holder"] == "bob"
    assert (late.code, late.json["expired"]) == (1, True)
    assert (expired.code, expired.json["mode"]) == (0, "off")


def test_two_people_at_once_do_not_both_get_the_lock(system: System) -> None:
    def other(path: str) -> None:
        if path.startswith(_LEASE) and not system.lease["spec"].get("holderIdentity"):
            system.lease["spec"] = {"holderIdentity": "bob"}

    system.runs.api.faults.append(Fault("PATCH", "/leases/", 409))
    system.runs.api.changed = other
    answer = system.ops("on", "--by", "ann")

    assert answer.code == 75
    assert "somebody else has just changed the maintenance lock" in answer.error
    assert system.ingress["spec"]["rules"] == _rules(_GATEWAY)


def test_users_are_never_led_to_something_that_does_not_answer(system: System) -> None:
    objects = system.runs.api.objects
    objects["/apis/apps/v1/namespaces/crypto/deployments/maintenance"]["status"]["availableReplicas"] = 0
    refused = system.ops("on")
    untouched = system.runs.api.patches()
    forced = system.ops("on", "--force")
    objects["/apis/apps/v1/namespaces/crypto/deployments/api-gateway"]["status"]["availableReplicas"] = 0
    back = system.ops("off")

    assert (refused.code, untouched, forced.code, back.code) == (1, [], 0, 1)
    assert "no pod of maintenance is ready" in refused.error
    assert "no pod of api-gateway is ready" in back.error
    assert system.ingress["spec"]["rules"] == _rules(_PAGE)


def test_a_page_that_the_stack_declares_is_not_taken_away(system: System) -> None:
    system.ops("on")
    # `pulumi up` with crypto:maintenance: the same values, so that both own them.
    system.lease["metadata"]["annotations"][maintenance.DECLARED] = "true"
    entry = {"manager": "pulumi-kubernetes-1", "operation": "Apply"}
    system.ingress["metadata"]["managedFields"].append({**entry, "fields": ["/spec/rules"]})
    system.job("drill")["metadata"]["managedFields"].append({**entry, "fields": ["/spec/suspend"]})
    off = system.ops("off", "--json")
    told = system.ops("status")

    assert (off.code, off.json["mode"], off.json["declared"]) == (0, "on", True)
    assert system.ingress["spec"]["rules"] == _rules(_PAGE)
    assert "drill" in system.suspended
    assert kube_api.owned(system.ingress, maintenance.MANAGER) == set()
    assert "set crypto:maintenance to false" in told.stdout


def test_a_page_that_nobody_holds_is_left_to_a_deployment_that_looks_at_the_cluster(system: System) -> None:
    system.ingress["spec"]["rules"] = _rules(_PAGE)
    status, off = system.ops("status"), system.ops("off")

    assert (status.code, off.code) == (1, 1)
    assert "run `pulumi up --refresh`" in off.error
    assert "nobody asks for the page: run `pulumi up --refresh`" in status.stdout
    assert system.ingress["spec"]["rules"] == _rules(_PAGE)


def test_after_off_the_next_deployment_meets_no_conflict(system: System) -> None:
    system.ops("on")
    during = kube_api.owned(system.ingress, maintenance.MANAGER)
    system.ops("off")
    patch = next(query for path, query in reversed(system.runs.api.queries) if path == _INGRESS)

    assert "/spec/rules" in during
    assert kube_api.owned(system.ingress, maintenance.MANAGER) == set()
    assert patch["fieldManager"] == "pulumi-kubernetes", "the provider takes over what this name owns"


def test_a_dry_run_says_what_would_change_and_changes_nothing(system: System) -> None:
    before = deepcopy(system.runs.api.objects)
    on = system.ops("on", "--dry-run", "--json")

    assert on.code == 0
    assert on.json["would_change"] == ["lock", "page", "backup-postgres", "by-hand", "drill"]
    assert system.runs.api.objects == before
    system.ops("on")
    during = deepcopy(system.runs.api.objects)
    off = system.ops("off", "--dry-run", "--json")
    assert off.json["would_change"] == ["page", "backup-postgres", "by-hand", "drill", "lock"]
    assert system.runs.api.objects == during


def test_people_are_told_once(system: System) -> None:
    with sinks.webhook() as hook:
        file = system.runs.folder / "hook"
        file.write_text(hook.url)
        system.runs.configure(chat={"webhookFile": str(file)})
        system.ops("on", "--by", "ann", "--reason", "disk")
        system.ops("on", "--by", "ann")
        system.ops("off", "--by", "ann", "--silent")

    assert [post["text"].splitlines()[0] for post in hook.posted] == ["*`[crypto] maintenance on, by ann`*"]


def test_a_stack_without_the_lease_says_what_to_do(system: System) -> None:
    del system.runs.api.objects[_LEASE]
    answer = system.ops("on")

    assert answer.code == 2
    assert "run `pulumi up`" in answer.error


@pytest.mark.parametrize("code", [0, 503])
@pytest.mark.parametrize("part", ["/leases/", "/ingresses/", "/cronjobs/drill", "/cronjobs/drill/status"])
@pytest.mark.parametrize("word", ["on", "off"])
def test_an_api_that_refuses_on_the_way_is_temporary_and_the_next_run_ends_well(
    system: System, word: str, part: str, code: int
) -> None:
    if word == "on" and part.endswith("status"):
        part = "/cronjobs/backup"
    goal = _goals(system)[word]
    if word == "off":
        system.ops("on")
    system.runs.api.faults.append(Fault("PATCH", part, code))
    broken = system.ops(word)
    again = system.ops(word)

    assert (broken.code, again.code) == (75, 0), broken.stderr + again.stderr
    assert system.shape() == goal


_ODD: dict[str, Object] = {
    "every": {"schedule": "@every 5m"},
    "second": {"schedule": "@every 1s", "timeZone": None},
    "prefix": {"schedule": "CRON_TZ=Europe/Berlin 0 2 * * *", "timeZone": None},
    "never": {"schedule": "0 0 30 2 *"},
    # Servers know zones that this machine does not.
    "newer": {"schedule": "0 2 * * *", "timeZone": "Moon/Tranquility"},
    "later": {"schedule": "0 2 * * MON#1"},
}


@pytest.mark.parametrize("name", _ODD)
def test_no_foreign_job_keeps_users_on_the_page(system: System, name: str) -> None:
    path = _JOBS.replace("cronjobs/", "cronjobs/odd-") + name
    system.runs.api.add(path, {"spec": _ODD[name], "status": {}})
    on = system.ops("on", "--json")
    system.lease["spec"]["acquireTime"] = "2026-01-01T00:00:00.000000Z"
    off = system.ops("off", "--json")

    assert (on.code, off.code, off.json["mode"]) == (0, 0, "off"), on.stderr + off.stderr
    assert system.ingress["spec"]["rules"] == _rules(_GATEWAY)
    assert "suspend" not in system.runs.api.objects[path]["spec"]
    assert list(off.json["missed_unknown"]) == ([f"odd-{name}"] if name in ("newer", "later") else [])
    assert "backup-postgres" in off.json["missed"]


def test_a_job_that_cannot_be_resumed_is_named_and_keeps_nothing_else_from_its_end(system: System) -> None:
    system.ops("on")
    system.runs.api.faults.append(Fault("PATCH", "/cronjobs/backup-postgres", 422, message="refused by a webhook"))
    off = system.ops("off")

    assert off.code == 1
    assert "not resumed: CronJob backup-postgres: " in off.stdout
    assert "refused by a webhook" in off.stdout
    assert system.ingress["spec"]["rules"] == _rules(_GATEWAY)
    assert system.suspended == {"by-hand", "backup-postgres"}
    assert system.lease["spec"].get("holderIdentity") is None
    assert system.ops("off").code == 0
    assert system.suspended == {"by-hand"}


@pytest.mark.parametrize("gone", ["jobs", "lease", "gateway", "job"])
def test_maintenance_ends_without_what_only_its_report_needs(system: System, gone: str) -> None:
    goal, api = system.shape(), system.runs.api
    system.ops("on")
    if gone == "jobs":
        api.rights = [replace(right, resources=tuple({*right.resources} - {"jobs"})) for right in api.rights or ()]
    elif gone == "lease":
        del goal[_LEASE], api.objects[_LEASE]
    elif gone == "gateway":
        path = "/apis/apps/v1/namespaces/crypto/deployments/api-gateway"
        del goal[path], api.objects[path]
    else:
        api.faults.append(Fault("PATCH", "/cronjobs/drill", 404))
    off = system.ops("off", *(["--force"] if gone == "gateway" else []))

    assert system.ingress["spec"]["rules"] == _rules(_GATEWAY)
    if gone != "job":
        assert system.shape() == goal
    assert off.code == (2 if gone == "lease" else 1 if gone == "job" else 0), off.stdout + off.stderr


@pytest.mark.parametrize(
    "spec",
    [
        {"holderIdentity": "bob"},
        {"holderIdentity": "bob", "renewTime": "9999-12-31T23:59:59.000000Z", "leaseDurationSeconds": 2**31 - 1},
        {"holderIdentity": "bob", "leaseDurationSeconds": 60},
    ],
    ids=str,
)
def test_a_lock_that_something_else_wrote_is_told_and_can_be_taken_over(system: System, spec: Object) -> None:
    goal = system.shape()
    system.ops("on")
    system.lease["spec"] = dict(spec)
    status, refused = system.ops("status"), system.ops("off", "--by", "ann")
    off = system.ops("off", "--by", "ann", "--take-over")

    assert (status.code, refused.code, off.code) == (0, 75, 0), status.stderr + refused.stderr + off.stderr
    assert "bob holds the maintenance lock without an end" in refused.error
    assert system.shape() == goal


def test_users_are_led_back_before_the_jobs_are_even_read(system: System) -> None:
    system.ops("on")
    system.runs.api.faults.append(Fault("GET", "/cronjobs", 503))
    off = system.ops("off")

    assert off.code == 75
    assert system.ingress["spec"]["rules"] == _rules(_GATEWAY)
    assert system.ops("off", "--json").json["mode"] == "off"


def test_a_situation_that_cannot_be_read_at_the_end_is_told_and_people_hear_what_was_done(system: System) -> None:
    with sinks.webhook() as hook:
        file = system.runs.folder / "hook"
        file.write_text(hook.url)
        system.ops("on")
        system.runs.configure(chat={"webhookFile": str(file)})
        system.runs.api.changed = lambda path: (
            system.runs.api.faults.append(Fault("GET", "/ingresses", 503)) if path.startswith(_LEASE) else None
        )
        off = system.ops("off", "--by", "ann", "--take-over", "--json")

    assert off.code == 75
    assert off.json["changed"] == ["page", "backup-postgres", "by-hand", "drill", "lock"]
    assert "503" in off.json["unread"]
    assert len(hook.posted) == 1


def _foreign() -> Iterator[Object]:
    """CronJobs that an API server takes and that are not written as this project's are."""
    for schedule in (
        "@every 1h30m",
        "@every 1s",
        "@yearly",
        "0 0 30 2 *",
        "*/7,3-9/2 ? * jan-mar,12 SUN",
        "0\t0 * * *",
    ):
        for zone in (None, "Etc/GMT+12", "America/Argentina/ComodRivadavia"):
            yield {"schedule": schedule} | ({} if zone is None else {"timeZone": zone})
    yield {"schedule": "* * * * *", "suspend": True}
    yield {"schedule": "* * * * *", "startingDeadlineSeconds": 0, "concurrencyPolicy": "Replace"}


@pytest.mark.timeout(300)
def test_on_and_off_leave_foreign_jobs_of_a_real_api_server_as_they_were(
    tools_bin_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kube_api.serving() as unused, api_server(tools_bin_dir) as server:
        runs = ops_runs.prepared(unused, tmp_path, monkeypatch)
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "admin")))
        with kubernetes.connect(20) as cluster:
            for path, item in (
                ("/api/v1/namespaces", {"metadata": {"name": "crypto"}}),
                (_LEASE, {"metadata": {"name": "maintenance", "annotations": {maintenance.DECLARED: "false"}}}),
                (_INGRESS, {"metadata": {"name": "api-gateway"}, "spec": {"rules": _rules(_GATEWAY)}}),
            ):
                cluster.create(path.rpartition("/")[0] if path.count("/") > 3 else path, item)
            pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}
            for number, spec in enumerate(_foreign()):
                job = {"jobTemplate": {"spec": {"template": {"spec": pod}}}, **spec}
                cluster.create(_JOBS.rstrip("/"), {"metadata": {"name": f"foreign-{number}"}, "spec": job})
            before = {item["metadata"]["name"]: item["spec"] for item in cluster.items(_JOBS.rstrip("/"))}
            on = runs.ops("maintenance", "on", "--force", "--json")
            during = {item["spec"]["suspend"] for item in cluster.items(_JOBS.rstrip("/"))}
            off = runs.ops("maintenance", "off", "--force", "--json")
            after = {item["metadata"]["name"]: item["spec"] for item in cluster.items(_JOBS.rstrip("/"))}
            rules = cluster.get(_INGRESS)["spec"]["rules"]

    assert (on.code, off.code) == (0, 0), on.stderr + off.stderr
    assert (on.json["mode"], during, off.json["mode"]) == ("on", {True}, "off")
    assert {name: spec | {"suspend": spec.get("suspend", False)} for name, spec in after.items()} == before
    assert off.json["missed_unknown"] == {}
    assert rules == _rules(_GATEWAY)


class _Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("word", ["on", "off"])
def test_a_run_that_is_killed_at_any_request_and_run_again_ends_well(
    system: System, word: str, number: int, after: bool
) -> None:
    goals, count, killed = _goals(system), 0, False
    if word == "off":
        system.ops("on")
    genuine = Cluster._answer  # pyright: ignore[reportPrivateUsage] - every request goes through it

    @contextmanager
    def answer(self: Cluster, method: str, *arguments: Any) -> Generator[Any]:
        nonlocal count, killed
        count += method == "PATCH"
        if method == "PATCH" and count == number and not after:
            killed = True
            raise _Killed
        with genuine(self, method, *arguments) as answered:
            if method == "PATCH" and count == number and after:
                killed = True
                raise _Killed
            yield answered

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Cluster, "_answer", answer)
        with suppress(_Killed):
            system.ops(word)
    requests = 5 if word == "on" else 8
    assert killed == (number <= requests)
    between = system.ops("status", "--json").json["mode"]
    again = system.ops(word)

    assert between in ("on", "off", "partly")
    assert again.code == 0, again.stderr
    assert system.shape() == goals[word]
    # And the other way, from whatever was left behind.
    other = "off" if word == "on" else "on"
    assert system.ops(other).code == 0
    assert system.shape() == goals[other]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("word", ["on", "off"])
def test_a_process_that_is_ended_at_a_random_moment_and_run_again_ends_well(
    system: System, word: str, number: signal.Signals
) -> None:
    goals, chance = _goals(system), random.Random(number + len(word))  # noqa: S311 - a moment, no secret
    for _ in range(3):
        system.ops("off")
        if word == "off":
            system.ops("on")
        target = chance.randint(1, 12)
        seen = len(system.runs.api.requests)
        process = system.runs.start("maintenance", word)
        while len(system.runs.api.requests) < seen + target and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(number)
        ended = finish(process)
        assert ended.code in (0, 75, -number)
        assert "Traceback" not in ended.stderr
        assert system.ops(word).code == 0
        assert system.shape() == goals[word]


def _goals(system: System) -> dict[str, Any]:
    """What the system looks like when maintenance is off, and when it is on."""
    off = system.shape()
    assert system.ops("on").code == 0
    on = system.shape()
    assert system.ops("off").code == 0
    assert system.shape() == off
    assert on != off
    return {"on": on, "off": off}
