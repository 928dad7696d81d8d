"""What both stacks promise about the namespace."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runbook import settings, units
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import stack_values


def test_the_namespace_enforces_restricted_pods(stack: list[Registered]) -> None:
    labels = look.of(stack, "Namespace")[0].inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_everything_but_what_has_no_namespace_lives_in_the_namespace(stack: list[Registered]) -> None:
    elsewhere = {
        (item.inputs["kind"], item.inputs["metadata"]["name"])
        for item in look.in_kubernetes(stack)
        if item.inputs["metadata"].get("namespace") != "crypto"
    }
    kinds = {kind for kind, _ in elsewhere}
    admission = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    roles = {"ClusterRole", "ClusterRoleBinding"}
    assert kinds == {"Namespace", "PriorityClass", "ClusterIssuer", "Certificate", *roles, *admission}
    # Grafana's certificate belongs where Grafana is, and the authority's where cert-manager looks for it.
    assert {name for kind, name in elsewhere if kind == "Certificate"} <= {"grafana-tls", "crypto-ca"}


def test_the_quota_fits_the_sum_at_peak(stack: list[Registered]) -> None:
    hard = look.of(stack, "ResourceQuota")[0].inputs["spec"]["hard"]
    keys = ("requests.cpu", "requests.memory", "limits.memory", "pods")
    needed: dict[str, Decimal] = dict.fromkeys(keys, Decimal())
    for name, pod, count in _at_peak(stack):
        assert pod["containers"], name
        # Sidecars run beside the others. What runs before them needs no more than they do.
        initial = pod.get("initContainers", [])
        sidecars = [container for container in initial if container.get("restartPolicy") == "Always"]
        first = [container["resources"] for container in initial if container not in sidecars]
        (main, *_) = [container["resources"] for container in pod["containers"]]
        for kind, key in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
            assert all(units.quantity(each[kind][key]) <= units.quantity(main[kind][key]) for each in first), name
        for container in (*pod["containers"], *sidecars):
            resources = container["resources"]
            needed["requests.cpu"] += count * units.quantity(resources["requests"]["cpu"])
            needed["requests.memory"] += count * units.quantity(resources["requests"]["memory"])
            needed["limits.memory"] += count * units.quantity(resources["limits"]["memory"])
        needed["pods"] += count
    for key, sum_at_peak in needed.items():
        allowed = units.quantity(hard[key])
        assert sum_at_peak <= allowed <= sum_at_peak * Decimal("1.25"), key


def _at_peak(stack: list[Registered]) -> list[tuple[str, dict[str, Any], int]]:
    """Every pod with how many of it run at most: the autoscaler's maximum, a rollout's surge, one run of each job."""
    most = {
        item.inputs["metadata"]["name"]: item.inputs["spec"]["maxReplicas"]
        for item in look.of(stack, "HorizontalPodAutoscaler")
    }
    found: list[tuple[str, dict[str, Any], int]] = []
    for item in look.of(stack, "Deployment"):
        name, spec = item.inputs["metadata"]["name"], item.inputs["spec"]
        found.append((name, spec["template"]["spec"], 1 + int(most.get(name, spec.get("replicas", 0)))))
    found += [
        (item.name, item.inputs["spec"]["template"]["spec"], int(item.inputs["spec"]["replicas"]))
        for item in look.of(stack, "StatefulSet")
    ]
    jobs = [item.inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"] for item in look.of(stack, "CronJob")]
    return found + [("job", pod, 1) for pod in jobs]


def test_no_container_asks_for_more_than_the_limit_range_allows(stack: list[Registered]) -> None:
    limits = look.of(stack, "LimitRange")[0].inputs["spec"]["limits"][0]
    largest = max(
        units.quantity(container["resources"]["limits"]["memory"])
        for _, pod in look.pods(stack)
        for container in pod["containers"]
    )
    assert units.quantity(limits["max"]["memory"]) == largest


def test_a_namespace_of_somebody_else_is_labelled_and_never_deleted() -> None:
    chosen = settings.load({**stack_values("prod"), "adoptNamespace": True})
    stack = engine.registered(chosen, "adopted")
    assert not [item for item in stack if item.token == "kubernetes:core/v1:Namespace"]
    patch = look.of(stack, "NamespacePatch")[0].inputs["metadata"]
    assert patch["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert patch["annotations"]["pulumi.com/patchForce"] == "true"
    namespaces = {item.inputs["metadata"].get("namespace") for item in look.of(stack, "Deployment")}
    assert namespaces == {"crypto"}
