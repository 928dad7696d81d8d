"""Rules about how a workload is marked, placed and replaced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies import kinds, pods
from policies.index import StackIndex, service_of
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect, expect_some
from policies.plain import MISSING, Plain
from policies.values import whole
from runbook import marks
from runbook.sections import Section

_LINKS: Final = tuple(section.link for section in Section)
_SPREAD_KEYS: Final = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
# What Kubernetes assumes where a pod does not say.
_DEFAULT_GRACE_SECONDS: Final = 30
# Classes that every cluster has.
_BUILT_IN_PRIORITIES: Final = ("system-cluster-critical", "system-node-critical")


def _owner(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for place in (resource.root, pods.template(resource)):
        label = place.at("metadata", "labels").at(marks.OWNER_LABEL)
        yield expect(label, lambda value: isinstance(value, str) and value != "", "the team that is asked about it")


def _section(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    note = resource.at("metadata", "annotations").at(marks.SECTION_ANNOTATION)
    yield expect(note, lambda value: value in _LINKS, "a link to a section, like docs/runbook.md#section-3-5")


def _replacement(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    strategy = resource.at("spec", "strategy")
    yield expect(strategy.at("type"), lambda value: value in (MISSING, "RollingUpdate"), "RollingUpdate")
    if service_of(resource) is not None:
        gone = strategy.at("rollingUpdate", "maxUnavailable")
        yield expect(gone, lambda value: value in (0, "0%"), "0: a new pod answers before an old one leaves")


def _spread(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    constraints = pods.pod_spec(resource).at("topologySpreadConstraints")
    yield expect_some(constraints, "at least one constraint over nodes or zones")
    for constraint in constraints.elements():
        yield expect(constraint.at("topologyKey"), lambda value: value in _SPREAD_KEYS, " or ".join(_SPREAD_KEYS))
        yield expect(constraint.at("maxSkew"), lambda value: whole(value) == 1, "1")


def _priority(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    yield expect(pods.pod_spec(resource).at("priorityClassName"), _is_name, "the name of a PriorityClass")


def _is_name(value: Plain) -> bool:
    return isinstance(value, str) and value != ""


def _priority_declared(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for workload in index.workloads:
        node = pods.pod_spec(workload).at("priorityClassName")
        if not node.present or node.text in _BUILT_IN_PRIORITIES:
            continue
        declared = index.named(kinds.PRIORITY_CLASS, node.text, None)
        allowed = "a PriorityClass that the stack declares, or one of Kubernetes' own"
        yield workload, decide(declared, node.path, f'"{node.text}", which nothing declares', allowed)


def _graceful(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    grace = pods.pod_spec(resource).at("terminationGracePeriodSeconds")
    if grace.present:
        yield expect(grace, lambda value: whole(value) > 0, "above 0: the process must get the time to end its work")
    seconds = _DEFAULT_GRACE_SECONDS if grace.number is None else grace.number
    for container in pods.main_containers(resource):
        sleep = container.at("lifecycle", "preStop", "sleep", "seconds")
        if sleep.present and not grace.hidden:
            yield expect(
                sleep, lambda value: whole(value) < seconds, f"less than the {seconds} s until the pod is killed"
            )


RULES: Final = (
    Meta(
        "owner-label",
        "Every workload and its pods say which team is asked about them.",
        Severity.LOW,
        Section.ESCALATION,
        f"Set the label {marks.OWNER_LABEL} on the workload and on its pod template.",
    ).of_resource(pods.is_workload, _owner),
    Meta(
        "runbook-annotation",
        "Every workload names the section of the runbook that it comes from.",
        Severity.LOW,
        Section.INCIDENT_PROCESS,
        f"Set the annotation {marks.SECTION_ANNOTATION} to the link of a section of docs/runbook.md.",
    ).of_resource(pods.is_workload, _section),
    Meta(
        "rolling-update",
        "A new version replaces the old one pod by pod, and a service never runs with fewer pods meanwhile.",
        Severity.HIGH,
        Section.UPGRADE,
        "Leave strategy.type at RollingUpdate; for a service set rollingUpdate.maxUnavailable to 0.",
    ).of_resource(kinds.one_of(kinds.DEPLOYMENT), _replacement),
    Meta(
        "topology-spread",
        "Pods of one workload are spread over nodes and zones.",
        Severity.MEDIUM,
        Section.AUTOSCALING,
        "Add topologySpreadConstraints over kubernetes.io/hostname and topology.kubernetes.io/zone with maxSkew 1.",
    ).of_resource(kinds.one_of(kinds.DEPLOYMENT, kinds.STATEFUL_SET), _spread),
    Meta(
        "priority-class",
        "Every pod says how important it is when a node is full.",
        Severity.MEDIUM,
        Section.NAMESPACE,
        "Set priorityClassName to one of the system's classes (runbook.priorities).",
    ).of_resource(pods.is_workload, _priority),
    Meta(
        "priority-class-declared",
        "A priority that a pod names exists.",
        Severity.HIGH,
        Section.NAMESPACE,
        "Declare the PriorityClass, or name one that is declared: the cluster refuses the pod otherwise.",
    ).of_stack(_priority_declared),
    Meta(
        "graceful-termination",
        "A pod that is asked to end gets the time for it.",
        Severity.MEDIUM,
        Section.UPGRADE,
        "Set terminationGracePeriodSeconds above 0 and above the sleep of every preStop hook.",
    ).of_resource(pods.is_long_running, _graceful),
)
