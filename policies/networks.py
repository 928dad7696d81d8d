"""Rules about network policies: everything closed, every pod covered, nothing open to everybody (section 9.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final

from policies import kinds, owners, reach
from policies.index import StackIndex
from policies.model import (
    PASSED,
    Judgement,
    Meta,
    Parameter,
    Parameters,
    Resource,
    Severity,
    decide,
    expect,
    expect_present,
    undecided,
)
from policies.plain import MISSING, Node, Plain
from policies.selection import Owned, Selection, Selector, Tally, label_selector, tally
from runbook.sections import Section

_BOTH: Final = ("Egress", "Ingress")
_SELECTORS: Final = ("podSelector", "namespaceSelector")
# A range of ports has a purpose up to some thousand of them, as those of nodes have; more is every port.
_MOST_PORTS: Final = 4096
_FEW_PORTS: Final = f"{_MOST_PORTS} ports at most: more are not named, but left open"
# Pods of cert-manager, which it starts beside the system to prove a domain: no workload of the stack.
_SOLVER: Final = "acme.cert-manager.io/http01-solver"


def _selects_all(policy: Resource) -> bool | None:
    selector = owners.selector_of(policy)
    return False if selector.requirements else (None if selector.unsure else True)


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
    systems = {system.object_name for system in index.systems}
    judged = [(policy, reach.isolates(policy, reach.INGRESS)) for policy in index.of(kinds.NETWORK_POLICY)]
    closing, perhaps = (
        _over(index, [policy for policy, closed in judged if closed is wanted]) for wanted in (True, None)
    )
    # In a namespace of the stack a policy that closes everything is there for what has no flows of its own.
    stating = _over(index, [policy for policy, _closed in judged if _closes(policy) is not True])
    for workload in index.workloads:
        sure, unsure = closing.by(workload), perhaps.by(workload)
        found = Tally(sure.sure, sure.perhaps + unsure.sure + unsure.perhaps).any
        allowed = "one that selects these pods and closes them, policyTypes Ingress, but for what it names"
        yield workload, decide(found, "its NetworkPolicy", "missing", allowed)
        if workload.namespace in systems:
            own = "one that says whom these pods talk to"
            yield workload, decide(stating.by(workload).any, "its own NetworkPolicy", "missing", own)


def _over(index: StackIndex, policies: list[Resource]) -> Owned:
    return Owned(policies, owners.selector_of, index.pods)


def _policy_targets(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    chosen = owners.selecting(index, kinds.NETWORK_POLICY)
    for policy in index.of(kinds.NETWORK_POLICY):
        selector = owners.selector_of(policy)
        if selector == Selector() or any(each.key == _SOLVER for each in selector.requirements):
            continue
        allowed = "labels of the pods of a workload of the stack"
        place = policy.at("spec", "podSelector")
        yield policy, decide(chosen.of(policy).tally.any, place.path, "the labels of no pod", allowed)


def _ingress(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    allowed = "pods or networks that are named, and not everybody"
    for rule in reach.rules(resource, reach.INGRESS):
        peers, ports = rule.at("from"), rule.at("ports")
        yield expect(peers, _some, "at least one peer")
        yield from _ports(ports, "at least one port")
        for peer in peers.elements():
            yield _somebody(peer, allowed)
    every = [peer for rule in reach.rules(resource, reach.INGRESS) for peer in rule.at("from").elements()]
    if not any(reach.everybody(reach.block_of(peer)) for peer in every):
        together = reach.open_ports(reach.openings(resource, reach.INGRESS, unknown=False))
        yield decide(not together, "spec.ingress", "networks that together are everybody", allowed)


def _egress(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for rule in reach.rules(resource, reach.EGRESS):
        yield expect(rule.at("to"), _some, "at least one peer")
        yield from _ports(rule.at("ports"), "at least one port: a name such as S3's has no fixed address, but a port")
    together = reach.open_ports(reach.openings(resource, reach.EGRESS, unknown=False))
    yield decide(together <= _MOST_PORTS, "spec.egress", f"{together} ports of everybody", _FEW_PORTS)


def _ports(ports: Node, allowed: str) -> Iterable[Judgement]:
    yield expect(ports, _some, allowed)
    for entry in ports.elements():
        yield expect_present(entry.at("port"), "a port by number or name: without, it is every port of the protocol")
    many = reach.count(reach.ports_of(ports)) if _some(ports.value) else 0
    yield decide(many <= _MOST_PORTS, ports.path, f"{many} ports", _FEW_PORTS)


def _together(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    chosen = owners.selecting(index, kinds.NETWORK_POLICY)
    alike: defaultdict[Selection, list[Resource]] = defaultdict(list)
    for policy in index.of(kinds.NETWORK_POLICY):
        alike[chosen.of(policy)].append(policy)
    over: defaultdict[str, list[Selection]] = defaultdict(list)
    for selection in alike:
        for workload, verdict in selection.members:
            if verdict:
                over[workload.urn].append(selection)
    for group in dict.fromkeys(tuple(selections) for selections in over.values()):
        policies = [policy for selection in group for policy in alike[selection]]
        for direction, most in ((reach.INGRESS, 0), (reach.EGRESS, _MOST_PORTS)):
            yield policies[0], _adds_up(policies, direction, most)


def _adds_up(policies: list[Resource], direction: str, most: int) -> Judgement:
    names = " and ".join(sorted({str(policy.object_name) for policy in policies}))
    allowed = f"{most or 'no'} ports of everybody at most, by all policies of a pod together"
    apart, later = (
        [reach.openings(policy, direction, unknown=unknown) for policy in policies] for unknown in (False, True)
    )
    ports = reach.open_ports(each for found in apart for each in found)
    path = f"spec.{direction.lower()}"
    if ports > most:
        # What one policy opens alone is that policy's finding.
        alone = any(reach.open_ports(found) > most for found in apart)
        return decide(alone, path, f"with {names} {ports} ports of everybody", allowed)
    perhaps = reach.open_ports(each for found in later for each in found)
    return undecided(path, allowed) if perhaps > most else PASSED


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
        return expect(cidr, lambda value: not reach.everybody(_network(value, peer)), allowed)
    # An empty selector of namespaces is all of them; an empty one of pods is the whole namespace.
    selectors = [label_selector(peer.at(key)) for key in _SELECTORS if peer.at(key).present]
    return decide(tally(each.names for each in selectors).any, peer.path, "everybody", allowed)


def _network(cidr: Plain, peer: Node) -> Iterable[reach.Block]:
    """The addresses of a peer; raises ValueError where it is no network."""
    ip_network(str(cidr), strict=False)
    return reach.block_of(peer)


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
        "network-policies-add-up",
        "All policies of a pod together open it to named peers, and never to everybody.",
        Severity.HIGH,
        "Take the networks out that together are everybody, or the ports that together are all.",
    ).of_stack(_together),
    _meta(
        "network-policy-types-stated",
        "A network policy says which directions it closes.",
        Severity.MEDIUM,
        "List in policyTypes every direction that the policy has rules for: without, its rules may do nothing.",
    ).of_resource(_IS_POLICY, _types),
)
