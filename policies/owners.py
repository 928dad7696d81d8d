"""What acts on workloads by a selector or by name: budgets, policies, Services and autoscalers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from policies import kinds
from policies.index import StackIndex, refers, same_namespace
from policies.model import Resource
from policies.plain import MISSING, Node
from policies.selection import NOTHING, Owned, Selector, Tally, equal_selector, label_selector, tally

# What Kubernetes assumes where nothing is stated.
_DEFAULT_REPLICAS: Final = 1


def _of_budget(budget: Resource) -> Selector:
    selector = label_selector(budget.at("spec", "selector"))
    # Until policy/v1 an empty selector selected no pod.
    return NOTHING if selector == Selector() and ":policy/v1beta1:" in budget.type else selector


def _of_policy(policy: Resource) -> Selector:
    selector = policy.at("spec", "podSelector")
    return label_selector(selector) if selector.present else Selector()


_READERS: Final[Mapping[str, Callable[[Resource], Selector]]] = {
    kinds.PDB: _of_budget,
    kinds.NETWORK_POLICY: _of_policy,
    kinds.SERVICE: lambda service: equal_selector(service.at("spec", "selector")),
}


def selector_of(owner: Resource) -> Selector:
    """The selector by which a budget, a NetworkPolicy or a Service finds its pods.

    Raises:
        KeyError: the resource is of another kind.
    """
    return _READERS[owner.kind](owner)


def selecting(index: StackIndex, kind: str) -> Owned:
    """Which resources of a kind select which workloads."""
    return index.once(f"selecting by {kind}", lambda: Owned(index.of(kind), _READERS[kind], index.pods))


def autoscalers(index: StackIndex, workload: Resource) -> list[tuple[Resource, bool | None]]:
    """The autoscalers that target the workload, for sure (True) or perhaps (None)."""
    named, unsure = index.once("autoscalers by target", lambda: _by_target(index))
    name = workload.at("metadata", "name")
    candidates = index.of(kinds.HPA) if name.hidden else (*named.get(name.text or "", ()), *unsure)
    verdicts = [(hpa, _targets(hpa, workload)) for hpa in candidates if same_namespace(hpa, workload)]
    return [(hpa, verdict) for hpa, verdict in verdicts if verdict is not False]


def autoscaled(index: StackIndex, workload: Resource) -> Tally:
    """How many autoscalers target the workload."""
    return tally(verdict for _, verdict in autoscalers(index, workload))


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


def fewest_pods(index: StackIndex, workload: Resource) -> int | None:
    """How many pods of a workload there are at least while nothing is wrong; None while that is not yet known."""
    scaling = autoscalers(index, workload)
    stated = [hpa.at("spec", "minReplicas") for hpa, verdict in scaling if verdict]
    if not stated:
        if scaling:
            return None
        stated = [workload.at("spec", "replicas")] if workload.kind in kinds.SCALED else [Node(MISSING)]
    if any(node.hidden for node in stated):
        return None
    return min(_DEFAULT_REPLICAS if node.number is None else node.number for node in stated)
