"""Rules about how many pods run: autoscalers and disruption budgets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies import disruption, kinds, owners
from policies.index import StackIndex
from policies.model import PASSED, Judgement, Meta, Parameters, Resource, Severity, decide, expect, undecided
from policies.plain import MISSING, Node
from policies.selection import Selection
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
        owned = owners.autoscaled(index, deployment)
        allowed = f"a HorizontalPodAutoscaler whose scaleTargetRef is the Deployment {spec.name}"
        if owned.any is None:
            yield deployment, undecided("its HorizontalPodAutoscaler", allowed)
        else:
            found = f"declared {owned.sure} times"
            yield deployment, decide(owned.sure == 1, "its HorizontalPodAutoscaler", found, f"{allowed}, once")


def _no_static_replicas(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for workload in index.of(*sorted(kinds.SCALED)):
        if owners.autoscaled(index, workload).sure:
            replicas = workload.at("spec", "replicas")
            yield workload, expect(replicas, lambda value: value is MISSING, "nothing: the autoscaler owns it")


def _has_budget(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for deployment, _spec in index.service_deployments():
        found = owners.selecting(index, kinds.PDB).by(deployment)
        allowed = "one PodDisruptionBudget whose selector matches the pods' labels"
        one = None if found.any is None else found.sure == 1
        yield deployment, decide(one, "its PodDisruptionBudget", f"declared {found.sure} times", allowed)


def _budget_lets_drain(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for budget in index.of(kinds.PDB):
        most, least = (budget.at("spec", key) for key in ("maxUnavailable", "minAvailable"))
        if most.present and least.present:
            yield budget, decide(False, least.path, "there beside maxUnavailable", "one of the two")
        elif most.present or least.present:
            yield budget, _lets_drain(most, least, _fewest(index, budget))
        else:
            yield budget, decide(False, most.path, "missing", "maxUnavailable or minAvailable")


def _lets_drain(most: Node, least: Node, pods: int | None) -> Judgement:
    stated = most if most.present else least
    if pods is None:
        one, many = (_lets_drain(most, least, number) for number in (1, disruption.MANY))
        return undecided(stated.path, one.allowed) if many is PASSED and one is not PASSED else many
    # A budget over no pods holds nothing up.
    counted = pods or disruption.MANY
    return expect(stated, lambda _: disruption.evictions(most, least, counted) > 0, disruption.allowed(counted))


def _fewest(index: StackIndex, budget: Resource) -> int | None:
    """How many pods a budget is over at least; None while that is not yet known, many where the stack has none."""
    selection = owners.selecting(index, kinds.PDB).of(budget)
    if not selection.members:
        # The pods of a service of the runbook are as many as it says, whoever declares them.
        values = {value for each in owners.selector_of(budget).requirements for value in each.values}
        return next((service.replicas.normal for service in services.ALL if service.name in values), disruption.MANY)
    return index.once(("fewest pods", selection), lambda: _sum(index, selection))


def _sum(index: StackIndex, selection: Selection) -> int | None:
    counts = [owners.fewest_pods(index, workload) if verdict else None for workload, verdict in selection.members]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


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
        "Set maxUnavailable to 1, or minAvailable below the number of pods, and run two pods at least.",
    ).of_stack(_budget_lets_drain),
)
