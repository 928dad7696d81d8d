"""Who may do what in the running system: every account against every kind and verb, by SubjectAccessReview."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from components.access import ON_CALL_RIGHTS
from components.ops_jobs import rights
from runbook import datastores, exporters, jobs, services
from runbook.jobs import Right
from tests.cluster.environment import Environment
from tests.cluster.observing import NAMESPACE
from tests.cluster.rights import Question, account, answers
from tests.program.settings import load

_VERBS = ("get", "list", "create", "patch", "delete")
_KINDS = {
    "": (
        "configmaps",
        "events",
        "persistentvolumeclaims",
        "pods",
        "pods/exec",
        "pods/log",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "serviceaccounts/token",
        "services",
    ),
    "apps": ("deployments", "deployments/scale", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "cert-manager.io": ("certificates", "issuers"),
    "monitoring.coreos.com": ("alertmanagerconfigs", "prometheusrules"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("rolebindings", "roles"),
}
_PODS = (
    *services.BY_NAME,
    datastores.POSTGRES.name,
    datastores.PGBOUNCER.name,
    datastores.REDIS.name,
    datastores.KAFKA.name,
    *(exporter.name for exporter in exporters.ALL),
    "maintenance",
    "default",
)


def _matrix(user: str, *groups: str) -> Iterator[Question]:
    for group, kinds in _KINDS.items():
        for kind in kinds:
            for verb in _VERBS:
                yield Question(user, verb, kind, group, groups=groups)


def _granted(given: tuple[Right, ...], question: Question) -> bool:
    return any(
        question.group == right.api_group
        and question.resource in right.resources
        and question.verb in right.verbs
        and (not right.names or question.name in right.names)
        for right in given
        if not right.cluster
    )


def _different(found: dict[Question, bool], expected: dict[Question, bool]) -> list[str]:
    return [
        f"{question.user}: {question.verb} {question.resource}.{question.group} {question.name}: "
        f"{'allowed' if allowed else 'refused'}"
        for question, allowed in found.items()
        if allowed != expected[question]
    ]


def test_every_job_may_do_what_it_states_and_nothing_else(system: Environment) -> None:
    expected: dict[Question, bool] = {}
    for job in jobs.ALL:
        # The embedded environment has a key for which backups are encrypted.
        given = rights(job, load("local", backup_public_key=f"age1{58 * 'q'}"))
        for question in _matrix(account(job.name)):
            expected[question] = _granted(given, question)
    assert len(expected) > 2000
    assert any(expected.values())
    assert _different(answers(system, expected), expected) == []


def test_a_right_on_one_object_is_no_right_on_another(system: Environment) -> None:
    expected = {
        Question(account(user), verb, kind, group, name): allowed
        for user, verb, kind, group, name, allowed in (
            ("jwt-rotation", "patch", "secrets", "", "jwt-secret", True),
            ("jwt-rotation", "patch", "secrets", "", "postgres-superuser", False),
            ("jwt-rotation", "patch", "deployments", "apps", "user-service", True),
            ("jwt-rotation", "patch", "deployments", "apps", "sentiment", False),
            ("peak-start", "patch", "horizontalpodautoscalers", "autoscaling", "api-gateway", True),
            ("peak-start", "patch", "horizontalpodautoscalers", "autoscaling", "user-service", False),
        )
    }
    assert _different(answers(system, expected), expected) == []


def test_no_pod_of_the_system_may_ask_the_api_for_anything(system: Environment) -> None:
    expected = {question: False for name in _PODS for question in _matrix(account(name))}
    assert len(expected) > 1000
    assert _different(answers(system, expected), expected) == []


def test_only_the_access_review_sees_what_has_no_namespace(system: Environment) -> None:
    group = "rbac.authorization.k8s.io"
    accounts = [*(job.name for job in jobs.ALL), *_PODS, "monitoring"]
    expected = {
        Question(account(name), verb, kind, group, namespace=None): name == "access-review" and verb in ("get", "list")
        for name in accounts
        for kind in ("clusterroles", "clusterrolebindings")
        for verb in _VERBS
    }
    assert _different(answers(system, expected), expected) == []


@pytest.mark.parametrize("namespace", ["default", "kube-system", "monitoring"])
def test_no_account_reaches_into_another_namespace(system: Environment, namespace: str) -> None:
    accounts = [*(job.name for job in jobs.ALL), "monitoring"]
    expected = {
        Question(account(name), verb, kind, namespace=namespace): False
        for name in accounts
        for kind in ("pods", "secrets", "configmaps")
        for verb in _VERBS
    }
    assert _different(answers(system, expected), expected) == []


def test_people_may_do_what_their_group_is_for(system: Environment) -> None:
    access = load("local").access
    reads = {"get", "list"}
    unseen = {"secrets", "roles", "rolebindings", "serviceaccounts/token", "pods/exec", "deployments/scale"}

    def seen(question: Question) -> bool:
        return question.verb in reads and question.resource not in unseen

    expected: dict[Question, bool] = {}
    for question in _matrix("dora", access.developers):
        expected[question] = seen(question) or _viewed(question)
    for question in _matrix("olga", access.on_call):
        expected[question] = seen(question) or _viewed(question) or _granted(ON_CALL_RIGHTS, question)
    expected |= {
        Question("olga", "create", "serviceaccounts/token", name="monitoring", groups=(access.on_call,)): True,
        Question("olga", "create", "serviceaccounts/token", name="jwt-rotation", groups=(access.on_call,)): False,
        Question("olga", "patch", "configmaps", name="app-config", groups=(access.on_call,)): True,
        Question("gus", "get", "secrets", groups=(access.break_glass,)): True,
        Question("gus", "delete", "statefulsets", "apps", groups=(access.break_glass,)): True,
        Question("gus", "get", "secrets", namespace="kube-system", groups=(access.break_glass,)): False,
        Question("nobody", "list", "pods"): False,
    }
    assert _different(answers(system, expected), expected) == []


def _viewed(question: Question) -> bool:
    """What Kubernetes' own `view` adds: the scale of a Deployment can be read, and nothing of it changed."""
    return question.resource == "deployments/scale" and question.verb in ("get", "list")


def test_monitoring_has_a_token_that_works_and_ends(system: Environment) -> None:
    token = system.ok("kubectl", "create", "token", "monitoring", NAMESPACE, "--duration=10m").strip()
    own = system.instance.state_dir / "monitoring-kubeconfig"
    shown = json.loads(system.ok("kubectl", "config", "view", "--raw", "--minify", "--output=json"))
    shown["users"] = [{"name": shown["users"][0]["name"], "user": {"token": token}}]
    own.touch(mode=0o600)
    own.write_text(json.dumps(shown))
    try:
        as_monitoring = ("kubectl", f"--kubeconfig={own}", NAMESPACE)
        assert "api-gateway" in system.ok(*as_monitoring, "get", "pods")
        refused = system.run(*as_monitoring, "get", "secrets")
        assert refused.code != 0
        assert "forbidden" in refused.output
    finally:
        own.unlink()
