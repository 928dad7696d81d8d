"""Rules about the namespace's quota: that there is one, and that everything at its peak fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from policies import kinds, pods
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, among, decide, expect, undecided
from policies.plain import MISSING, UNKNOWN, Node, Plain
from policies.surge import surge
from policies.values import counted, millicores, number_of_bytes
from runbook.sections import Section

_COMPANIONS: Final = {kinds.QUOTA: "ResourceQuota", kinds.LIMIT_RANGE: "LimitRange"}
# Keys of a quota: where a container states it, and how it is read.
_COUNTED: Final[Mapping[str, tuple[tuple[str, str], Callable[[Plain], int]]]] = {
    "requests.cpu": (("requests", "cpu"), millicores),
    "requests.memory": (("requests", "memory"), number_of_bytes),
    "limits.memory": (("limits", "memory"), number_of_bytes),
}


# Namespace, kind and name.
_Key: TypeAlias = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class _Load:
    """``pods`` pods of one workload at its peak, and what one of them asks for by the keys of a quota."""

    pods: int
    each: Mapping[str, int]


def _peak(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    quotas = [quota for quota in index.of(kinds.QUOTA) if quota.at("spec", "hard").present]
    sums = {space: _sum(loads) for space, loads in _loads(index).items()} if quotas else {}
    for quota in quotas:
        hard = quota.at("spec", "hard")
        # A workload whose namespace is not yet known may be in any.
        own = [sums[space] for space in {quota.namespace, None} if space in sums]
        for key in (*_COUNTED, "pods"):
            limit = hard.at(key)
            if limit.present:
                yield quota, _fits(limit, key, own)


def _sum(loads: list[_Load | None]) -> dict[str, int] | None:
    """What workloads ask for together, by the keys of a quota; None while one of them cannot be counted."""
    known = [load for load in loads if load is not None]
    if len(known) < len(loads):
        return None
    return {key: sum(load.pods * load.each.get(key, 0) for load in known) for key in (*_COUNTED, "pods")}


def _fits(limit: Node, key: str, sums: list[dict[str, int] | None]) -> Judgement:
    read = _COUNTED[key][1] if key in _COUNTED else counted
    known = [each[key] for each in sums if each is not None]
    if len(known) < len(sums):
        return undecided(limit.path, "at least what the stack asks for at its peak")
    needed = sum(known)
    unit = {"requests.cpu": " thousandths of a core", "pods": " pods"}.get(key, " bytes")
    return expect(limit, lambda value: read(value) >= needed, f"at least {needed}{unit}: the sum at peak")


def _loads(index: StackIndex) -> dict[str | None, list[_Load | None]]:
    """Every workload at its peak by namespace; None for one that cannot be counted yet."""
    most = _most_replicas(index)
    found: defaultdict[str | None, list[_Load | None]] = defaultdict(list)
    for workload in index.workloads:
        found[workload.namespace].append(_load(workload, most))
    return dict(found)


def _most_replicas(index: StackIndex) -> dict[_Key, Node]:
    """What autoscalers scale to at most, by namespace, kind and name of their target."""
    found: dict[_Key, Node] = {}
    for hpa in index.of(kinds.HPA):
        target = hpa.at("spec", "scaleTargetRef")
        key = (hpa.namespace, target.at("kind").text, target.at("name").text)
        found[key] = hpa.at("spec", "maxReplicas")
    return found


def _load(workload: Resource, most: Mapping[_Key, Node]) -> _Load | None:
    key = (workload.namespace, workload.kind.rpartition("/")[2], workload.object_name or "")
    replicas = most.get(key, workload.at("spec", "replicas")) if workload.kind in kinds.LONG_RUNNING else Node(MISSING)
    if replicas.hidden or pods.pod_spec(workload).at("containers").hidden:
        return None
    number = 1 if replicas.number is None else replicas.number
    each = _pod(workload)
    return None if each is None else _Load(number + surge(workload, number), each)


def _pod(workload: Resource) -> dict[str, int] | None:
    """What one pod asks for, as the scheduler adds it: what the pod states as a whole, else its containers together.

    Init containers run one after the other, each beside the sidecars that were started before it.
    """
    spec, each = pods.pod_spec(workload), {"pods": 1}
    for key, (place, read) in _COUNTED.items():
        whole = spec.at("resources", *place)
        running = [_stated(container, place) for container in spec.at("containers").elements()]
        initial = [(container, _stated(container, place)) for container in spec.at("initContainers").elements()]
        if UNKNOWN in (whole.value, *running, *(value for _, value in initial)):
            return None
        beside, most = 0, 0
        for container, value in initial:
            number = _read(value, read)
            beside += number if pods.is_sidecar(container) else 0
            most = max(most, beside if pods.is_sidecar(container) else beside + number)
        together = beside + sum(_read(value, read) for value in running)
        each[key] = _read(whole.value, read) if whole.present else max(together, most)
    return each


def _stated(container: Node, place: tuple[str, str]) -> Plain:
    """What a container asks for; the API server takes its limit where it states no request."""
    kind, resource = place
    value = container.at("resources", kind, resource).value
    return container.at("resources", "limits", resource).value if value is MISSING else value


def _read(value: Plain, read: Callable[[Plain], int]) -> int:
    try:
        return read(value)
    except ValueError:
        return 0


def _has_quota(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for kind, name in _COMPANIONS.items():
        spaces = {resource.namespace for resource in index.of(kind)}
        unsure = any(resource.at("metadata", "namespace").hidden for resource in index.of(kind))
        for system in index.systems:
            allowed = f"a {name} in the namespace"
            there = among(system.object_name in spaces, unsure=unsure)
            yield system, decide(there, f"its {name}", "missing", allowed)


RULES: Final = (
    Meta(
        "quota-fits-peak",
        "The namespace's quota fits everything at its peak, rollouts and jobs included.",
        Severity.HIGH,
        Section.PEAK_SCALING,
        "Raise the quota (it is computed from runbook.capacity), or lower replicas or requests.",
        reference="NSA Kubernetes Hardening Guide: resource policies",
    ).of_stack(_peak),
    Meta(
        "namespace-has-quota",
        "Every namespace of the stack has a quota and defaults for containers.",
        Severity.MEDIUM,
        Section.NAMESPACE,
        "Declare a ResourceQuota and a LimitRange in the namespace.",
        reference="NSA Kubernetes Hardening Guide: resource policies",
    ).of_stack(_has_quota),
)
