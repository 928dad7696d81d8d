"""Rules about how many pods run: autoscalers and disruption budgets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies import kinds
from policies.index import StackIndex, refers, same_namespace
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect, undecided
from policies.plain import MISSING, Node
from policies.values import whole
from runbook import services
from runbook.sections import Section


def _hpa_range(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = resource.at("spec")
    low, high = spec.at("minReplicas"), spec.at("maxReplicas")
    target = spec.at("scaleTargetRef", "name")
    if target.text in services.BY_NAME:
        limits = services.BY_NAME[target.text].replicas
        allowed = f"{limits.normal} to {limits.peak} for {target.text}"
        yield expect(low, lambda value: limits.normal <= whole(value) < limits.peak, allowed)
        yield expect(high, lambda value: limits.normal < whole(value) <= limits.peak, allowed)
    elif target.unknown:
        yield undecided(target.path, "a target whose replica range can be judged")
    if isinstance(low.value, int):
        bottom = low.value
        yield expect(high, lambda value: whole(value) > bottom, f"more than minReplicas {bottom}")


def _scaled_by_hpa(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for deployment, spec in index.service_deployments():
        owned = _owned(index, deployment)
        allowed = f"a HorizontalPodAutoscaler whose scaleTargetRef is the Deployment {spec.name}"
        if owned is None:
            yield deployment, undecided("its HorizontalPodAutoscaler", allowed)
        else:
            found = f"declared {owned} times"
            yield deployment, decide(owned == 1, "its HorizontalPodAutoscaler", found, f"{allowed}, once")


def _no_static_replicas(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for kind in (kinds.DEPLOYMENT, kinds.STATEFUL_SET):
        for workload in index.of(kind):
            if _owned(index, workload):
                replicas = workload.at("spec", "replicas")
                yield workload, expect(replicas, lambda value: value is MISSING, "nothing: the autoscaler owns it")


def _owned(index: StackIndex, workload: Resource) -> int | None:
    """How many autoscalers target the workload; None while one of them may or may not."""
    named, unsure = index.once("autoscalers by target", lambda: _by_target(index))
    name = workload.at("metadata", "name")
    candidates = index.of(kinds.HPA) if name.hidden else (*named.get(name.text or "", ()), *unsure)
    verdicts = [_targets(hpa, workload) for hpa in candidates if same_namespace(hpa, workload)]
    sure = sum(verdict is True for verdict in verdicts)
    return None if sure == 0 and None in verdicts else sure


def _by_target(index: StackIndex) -> tuple[dict[str, list[Resource]], list[Resource]]:
    """Autoscalers by their target's name, and those whose target is not yet known."""
    named: dict[str, list[Resource]] = {}
    unsure: list[Resource] = []
    for hpa in index.of(kinds.HPA):
        target = hpa.at("spec", "scaleTargetRef", "name").text
        (unsure if target is None else named.setdefault(target, [])).append(hpa)
    return named, unsure


def _targets(hpa: Resource, workload: Resource) -> bool | None:
    target = hpa.at("spec", "scaleTargetRef")
    kind = target.at("kind").text
    if kind is not None and kind != workload.kind.rpartition("/")[2]:
        return False
    return refers(hpa, target.at("name"), workload, workload.at("metadata", "name"))


def _has_budget(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for deployment, _spec in index.service_deployments():
        budgets = index.selecting(kinds.PDB, ("spec", "selector", "matchLabels"))
        found = budgets.by(deployment)
        allowed = "one PodDisruptionBudget whose selector matches the pods' labels"
        one = None if found.any is None else found.sure == 1
        yield deployment, decide(one, "its PodDisruptionBudget", f"declared {found.sure} times", allowed)


def _budget_lets_drain(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = resource.at("spec")
    most, least = spec.at("maxUnavailable"), spec.at("minAvailable")
    if most.present:
        yield expect(most, lambda value: value not in (0, "0", "0%"), "at least 1, so that a node can be drained")
    if least.present:
        yield expect(least, lambda value: value != "100%", "less than all pods, so that a node can be drained")
        for service in _selected_services(spec):
            normal = service.replicas.normal
            if isinstance(least.value, int):
                yield expect(
                    least, lambda value, top=normal: whole(value) < top, f"below the {normal} pods of {service.name}"
                )
    if not most.present and not least.present:
        yield decide(False, spec.at("maxUnavailable").path, "missing", "maxUnavailable or minAvailable")


def _selected_services(budget: Node) -> list[services.ServiceSpec]:
    values = {node.text for _, node in budget.at("selector", "matchLabels").entries()}
    return [service for service in services.ALL if service.name in values]


RULES: Final = (
    Meta(
        "hpa-range",
        "An autoscaler moves between the runbook's normal and peak number of pods, and has room to move.",
        Severity.HIGH,
        Section.PEAK_SCALING,
        "Set minReplicas and maxReplicas within the range, the second above the first.",
    ).of_resource(kinds.one_of(kinds.HPA), _hpa_range),
    Meta(
        "service-has-hpa",
        "Every service is scaled by exactly one autoscaler.",
        Severity.HIGH,
        Section.AUTOSCALING,
        "Declare one HorizontalPodAutoscaler for the service's Deployment.",
    ).of_stack(_scaled_by_hpa),
    Meta(
        "no-static-replicas",
        "Where an autoscaler owns a workload, the workload does not fix its own number of pods.",
        Severity.MEDIUM,
        Section.AUTOSCALING,
        "Leave spec.replicas out: each update would undo what the autoscaler did.",
    ).of_stack(_no_static_replicas),
    Meta(
        "service-has-pdb",
        "Every service has exactly one disruption budget.",
        Severity.MEDIUM,
        Section.UPGRADE,
        "Declare one PodDisruptionBudget whose selector matches the service's pods.",
    ).of_stack(_has_budget),
    Meta(
        "pdb-lets-drain",
        "A disruption budget never blocks the drain of a node.",
        Severity.MEDIUM,
        Section.MAINTENANCE_WINDOWS,
        "Set maxUnavailable to 1, or minAvailable below the normal number of pods.",
    ).of_resource(kinds.one_of(kinds.PDB), _budget_lets_drain),
)
