"""Rules about how autoscalers move, and that they and the disruption budgets have something to act on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies import kinds, owners
from policies.index import StackIndex, refers, same_namespace
from policies.model import Judgement, Meta, Parameters, Resource, Severity, among, decide, expect, undecided
from policies.plain import MISSING, Node, Plain
from policies.values import whole
from runbook import thresholds
from runbook.sections import Section

_CPU_LIMIT_PERCENT: Final = round(thresholds.NODE_CPU_RATIO.value * 100)
# Where autoscaling/v1 has its only target.
_FIRST_VERSION: Final = "targetCPUUtilizationPercentage"
_POLICIES: Final[tuple[Plain, ...]] = (MISSING, "Max", "Min")
# What Kubernetes assumes where an autoscaler does not say.
_DEFAULT_UP_SECONDS: Final = 0
_DEFAULT_DOWN_SECONDS: Final = 300


def _cpu_target(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    allowed = f"1 to {_CPU_LIMIT_PERCENT - 1}: below the {_CPU_LIMIT_PERCENT}% at which a node counts as busy"
    targets = [(name, target) for name, target in _targets(resource) if target.present]
    for _name, target in targets:
        yield expect(target, lambda value: 1 <= whole(value) < _CPU_LIMIT_PERCENT, allowed)
    place = resource.at("spec", _FIRST_VERSION if _is_first(resource) else "metrics").path
    names = [name for name, _target in targets]
    found = among("cpu" in [name.text for name in names], unsure=any(name.hidden for name in names))
    yield decide(found, place, "without a target of utilization for cpu", "a metric of cpu with averageUtilization")


def _is_first(hpa: Resource) -> bool:
    return hpa.type.startswith("kubernetes:autoscaling/v1:")


def _targets(hpa: Resource) -> Iterable[tuple[Node, Node]]:
    """What an autoscaler measures of its pods or of a container: its name, and the utilization that it aims at."""
    if _is_first(hpa):
        # The first version knows no other metric.
        yield Node("cpu"), hpa.at("spec", _FIRST_VERSION)
        return
    for metric in hpa.at("spec", "metrics").elements():
        for source in ("resource", "containerResource"):
            measured = metric.at(source)
            old = measured.at("targetAverageUtilization")
            yield measured.at("name"), old if old.present else measured.at("target", "averageUtilization")


def _slow_down(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    behaviour = resource.at("spec", "behavior")
    up, down = (behaviour.at(key, "stabilizationWindowSeconds") for key in ("scaleUp", "scaleDown"))
    if up.unknown:
        yield undecided(up.path, "less than that of scaleDown")
        return
    least = _DEFAULT_UP_SECONDS if up.number is None else up.number
    allowed = f"more than the {least} s of scaleUp"
    if down.present:
        yield expect(down, lambda value: whole(value) > least, allowed)
    else:
        yield decide(least < _DEFAULT_DOWN_SECONDS, down.path, f"{_DEFAULT_DOWN_SECONDS} by default", allowed)


def _both_ways(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for direction in ("scaleUp", "scaleDown"):
        policy = resource.at("spec", "behavior", direction, "selectPolicy")
        yield expect(policy, lambda value: value in _POLICIES, "Max or Min: Disabled never moves that way")


def _hpa_targets(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    scalable = {kind.rpartition("/")[2]: kind for kind in kinds.SCALED}
    for hpa in index.of(kinds.HPA):
        target = hpa.at("spec", "scaleTargetRef")
        kind = scalable.get(target.at("kind").text or "")
        allowed = "a Deployment, StatefulSet or another workload with replicas that the stack declares"
        if kind is None and not target.at("kind").hidden:
            yield hpa, decide(False, target.at("kind").path, "no kind that is scaled", allowed)
            continue
        found = None if kind is None else _declared(index, hpa, target.at("name"), kind)
        if found is None:
            yield hpa, undecided(target.path, allowed)
        else:
            yield hpa, decide(found, target.at("name").path, "the name of nothing", allowed)


def _declared(index: StackIndex, hpa: Resource, name: Node, kind: str) -> bool | None:
    found = index.named(kind, name.text, hpa.namespace)
    if not name.hidden:
        return found
    # What the reference was computed from may tell what its text does not yet.
    workloads = [each for each in index.of(kind) if same_namespace(hpa, each)]
    verdicts = [refers(hpa, name, workload, workload.at("metadata", "name")) for workload in workloads]
    return True if True in verdicts else None


def _budget_targets(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for budget in index.of(kinds.PDB):
        selector = budget.at("spec", "selector")
        found = owners.selecting(index, kinds.PDB).of(budget).tally.any
        allowed = "labels of the pods of a workload of the stack"
        yield budget, decide(found, selector.path, "the labels of no pod", allowed)


RULES: Final = (
    Meta(
        "hpa-cpu-target",
        "An autoscaler adds pods before the nodes count as busy.",
        Severity.MEDIUM,
        Section.AUTOSCALING,
        "Set a Resource metric for cpu with an averageUtilization below the node's limit.",
    ).of_resource(kinds.one_of(kinds.HPA), _cpu_target),
    Meta(
        "hpa-scales-down-slowly",
        "An autoscaler adds pods at once and takes them away slowly.",
        Severity.LOW,
        Section.AUTOSCALING,
        "Give behavior.scaleDown a longer stabilizationWindowSeconds than behavior.scaleUp.",
    ).of_resource(kinds.one_of(kinds.HPA), _slow_down),
    Meta(
        "hpa-moves-both-ways",
        "An autoscaler can add pods, and can take them away again.",
        Severity.MEDIUM,
        Section.AUTOSCALING,
        "Leave behavior.scaleUp.selectPolicy and behavior.scaleDown.selectPolicy out, or set them to Max or Min.",
    ).of_resource(kinds.one_of(kinds.HPA), _both_ways),
    Meta(
        "hpa-target-exists",
        "An autoscaler scales a workload that exists.",
        Severity.HIGH,
        Section.AUTOSCALING,
        "Set spec.scaleTargetRef to the kind and name of a workload in the same namespace.",
    ).of_stack(_hpa_targets),
    Meta(
        "pdb-target-exists",
        "A disruption budget protects pods that exist.",
        Severity.MEDIUM,
        Section.UPGRADE,
        "Set spec.selector to labels of the workload's pod template.",
    ).of_stack(_budget_targets),
)
