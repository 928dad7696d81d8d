"""Rules about network policies: everything closed, every pod covered, nothing open to everybody (section 9.1)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final

from policies import kinds
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameter, Parameters, Resource, Severity, decide, expect, undecided
from policies.plain import MISSING, Node
from policies.selection import tally
from runbook.sections import Section

_BOTH: Final = ("Egress", "Ingress")
_PLACE: Final = ("spec", "podSelector", "matchLabels")
# Pods of cert-manager, which it starts beside the system to prove a domain: no workload of the stack.
_SOLVER: Final = "acme.cert-manager.io/http01-solver"


def _selects_all(policy: Resource) -> bool | None:
    selector = policy.at("spec", "podSelector")
    if selector.at("matchLabels").hidden:
        return None
    return all(selector.at(key).value in (MISSING, {}, []) for key in ("matchLabels", "matchExpressions"))


def _closes(policy: Resource) -> bool | None:
    """Whether it closes every pod in both directions and opens nothing."""
    everything, types = _selects_all(policy), policy.at("spec", "policyTypes")
    if everything is None or types.hidden:
        return None
    both = tuple(sorted(str(node.scalar) for node in types.elements())) == _BOTH
    return everything and both and all(policy.at("spec", key).value in (MISSING, []) for key in ("ingress", "egress"))


def _default_deny(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    verdicts: dict[str | None, set[bool | None]] = {}
    for policy in index.of(kinds.NETWORK_POLICY):
        verdicts.setdefault(policy.namespace, set()).add(_closes(policy))
    for system in index.systems:
        found = verdicts.get(system.object_name, set()) | verdicts.get(None, set())
        path, allowed = "its default-deny NetworkPolicy", "one with an empty podSelector, both policyTypes and no rules"
        yield system, decide(tally(found).any, path, "missing", allowed)


def _covered(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    chosen = index.selecting(kinds.NETWORK_POLICY, _PLACE)
    for workload in index.workloads:
        allowed = "one that selects these pods by their labels"
        yield workload, decide(chosen.by(workload).any, "its NetworkPolicy", "missing", allowed)


def _policy_targets(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    chosen = index.selecting(kinds.NETWORK_POLICY, _PLACE)
    for policy in index.of(kinds.NETWORK_POLICY):
        labels = policy.at(*_PLACE)
        if labels.value in (MISSING, {}) or labels.at(_SOLVER).present:
            continue
        allowed = "labels of the pods of a workload of the stack"
        yield policy, decide(chosen.of(policy).tally.any, labels.path, "the labels of no pod", allowed)


def _ingress(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in resource.at("spec", "ingress").elements():
        peers, ports = rule.at("from"), rule.at("ports")
        yield expect(peers, _some, "at least one peer")
        yield expect(ports, _some, "at least one port")
        for peer in peers.elements():
            yield _somebody(peer, "pods or networks that are named, and not everybody")


def _egress(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in resource.at("spec", "egress").elements():
        yield expect(rule.at("to"), _some, "at least one peer")
        yield expect(rule.at("ports"), _some, "at least one port: a name such as S3's has no fixed address, but a port")


def _narrowed(resource: Resource, parameters: Parameters) -> Iterable[Judgement]:
    if parameters["production"]:
        for rule in resource.at("spec", "egress").elements():
            for peer in rule.at("to").elements():
                yield _somebody(peer, "networks that are named, and not everywhere")


def _some(value: object) -> bool:
    return isinstance(value, list) and value != []


def _somebody(peer: Node, allowed: str) -> Judgement:
    if peer.hidden:
        return undecided(peer.path, allowed) if peer.unknown else decide(False, peer.path, "a secret", allowed)
    cidr = peer.at("ipBlock", "cidr")
    if cidr.present:
        # Any address with a prefix of no bits is everywhere, and the API server takes all of them.
        return expect(cidr, lambda value: ip_network(str(value), strict=False).prefixlen > 0, allowed)
    named = [peer.at(key) for key in ("podSelector", "namespaceSelector") if peer.at(key).present]
    if any(node.unknown for node in named):
        return undecided(peer.path, allowed)
    # An empty selector of namespaces is all of them; an empty one of pods is the whole namespace.
    return decide(any(node.value != {} for node in named), peer.path, "everybody", allowed)


def _types(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    types = resource.at("spec", "policyTypes")
    yield expect(types, _some, "Ingress, Egress or both, stated")
    stated = [node.value for node in types.elements()]
    for key, kind in (("ingress", "Ingress"), ("egress", "Egress")):
        if resource.at("spec", key).present and not types.hidden:
            yield decide(kind in stated, types.path, f"without {kind}", f"{kind}: rules of that direction are stated")


def _meta(name: str, description: str, severity: Severity, remediation: str) -> Meta:
    return Meta(name, description, severity, Section.NAMESPACE, remediation, reference=_REFERENCE)


_REFERENCE: Final = "CIS Kubernetes 5.3.2; NSA Kubernetes Hardening Guide: network policies"
_IS_POLICY: Final = kinds.one_of(kinds.NETWORK_POLICY)

RULES: Final = (
    _meta(
        "network-default-deny",
        "Every namespace of the stack is closed in both directions until a policy opens something.",
        Severity.HIGH,
        "Declare a NetworkPolicy with podSelector {} and policyTypes Ingress and Egress, without rules.",
    ).of_stack(_default_deny),
    _meta(
        "network-policy-for-every-pod",
        "For every workload it is stated whom it talks to.",
        Severity.HIGH,
        "Add the workload's flows to runbook.flows; its NetworkPolicy is made from them.",
    ).of_stack(_covered),
    _meta(
        "network-policy-target-exists",
        "A network policy opens something for pods that exist.",
        Severity.LOW,
        "Set spec.podSelector to labels of a workload's pods, or remove the policy.",
    ).of_stack(_policy_targets),
    _meta(
        "network-ingress-from-somebody",
        "A pod is open to named peers at named ports, and never to everybody.",
        Severity.HIGH,
        "Name peers (podSelector, namespaceSelector or a network) in from, and the ports.",
    ).of_resource(_IS_POLICY, _ingress),
    _meta(
        "network-egress-to-ports",
        "A pod opens connections to named peers at named ports.",
        Severity.MEDIUM,
        "Name peers in to, and the ports.",
    ).of_resource(_IS_POLICY, _egress),
    Meta(
        "network-egress-narrowed",
        "In production, a pod opens connections to networks that are named, and not to everywhere.",
        Severity.MEDIUM,
        Section.NAMESPACE,
        "Name the networks in crypto:network (apiServerCidrs, awsCidrs, mailCidrs, chatCidrs) and in the cidr of an "
        "external datastore.",
        parameters=(Parameter("production", {"type": "boolean"}, False),),
        reference=_REFERENCE,
    ).of_resource(_IS_POLICY, _narrowed),
    _meta(
        "network-policy-types-stated",
        "A network policy says which directions it closes.",
        Severity.MEDIUM,
        "List in policyTypes every direction that the policy has rules for: without, its rules may do nothing.",
    ).of_resource(_IS_POLICY, _types),
)
