"""Who is selected and who reaches whom: the policies and the node's enforcer, beside Kubernetes and cyclonus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.cluster import network_policies
from local.cluster.network_policies import Allowed, NamedPort, Pod
from local.pulumi_cli import PROJECT_ROOT
from policies import owners, reach
from policies.model import Resource
from policies.plain import Node, to_plain
from policies.reach import Opening
from policies.selection import label_selector
from tests.oracles.original import Original, started

# The first build of the original takes minutes.
pytestmark = pytest.mark.timeout(3600)
_KUBERNETES = PROJECT_ROOT / "local/toolchain/modules/kubernetes/go.mod"
_MODULE = Path(__file__).parent / "network/go.mod"
_IN_SUITE = settings().max_examples <= 100
_EXAMPLES = 300 if _IN_SUITE else settings().max_examples


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    with started("network", tmp_path_factory.mktemp("network")) as running:
        yield running


_Objects: TypeAlias = st.SearchStrategy[dict[str, Any]]
_KEYS: Final = ("a", "b")
_VALUES: Final = ("x", "y", "")
_TEXTS: Final = st.sampled_from(_VALUES)
_MAPS: Final = st.dictionaries(st.sampled_from(_KEYS), _TEXTS, max_size=2)
_EVERY_LABELS: Final[list[dict[str, str]]] = [
    {key: value for key, value in zip(_KEYS, values, strict=True) if value is not None}
    for values in product((*_VALUES, None), repeat=2)
]


def _expressions(operators: Sequence[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    some = st.lists(values, max_size=2)
    kinds = st.tuples(st.sampled_from(_KEYS), st.sampled_from(operators), some)
    return st.lists(kinds.map(lambda each: _expression(*each)), max_size=2)


def _expression(key: str, operator: str, values: list[str]) -> dict[str, Any]:
    # Values where there may be none, and none where there must be some, are for the original to refuse.
    return {"key": key, "operator": operator} | ({"values": values} if values else {})


_SELECTORS: Final[_Objects] = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": _MAPS,
        "matchExpressions": _expressions(("In", "NotIn", "Exists", "DoesNotExist"), _TEXTS),
    },
)


@settings(max_examples=_EXAMPLES, derandomize=_IN_SUITE, suppress_health_check=(HealthCheck.too_slow,))
@given(_SELECTORS)
def test_a_selector_selects_what_kubernetes_selects(original: Original, selector: dict[str, Any]) -> None:
    answer = original.answer({"selector": selector, "labels": _EVERY_LABELS})
    if answer["Refused"]:
        return
    ours = label_selector(Node(to_plain(selector)))
    assert [ours.fits(Node(to_plain(labels))) for labels in _EVERY_LABELS] == answer["Selected"]
    assert [network_policies.selects(selector, labels) for labels in _EVERY_LABELS] == answer["Selected"]


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, [True, True, True]),
        ({"matchLabels": {"a": ""}}, [False, True, False]),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, [True, True, False]),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, [True, False, False]),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, [False, True, True]),
    ],
    ids=str,
)
def test_what_is_easily_misread_of_a_selector_is_read_as_kubernetes_does(
    original: Original, selector: dict[str, Any], selected: list[bool]
) -> None:
    labels: list[dict[str, str]] = [{}, {"a": ""}, {"a": "x"}]
    assert original.answer({"selector": selector, "labels": labels})["Selected"] == selected
    ours = label_selector(Node(to_plain(selector)))
    assert [ours.fits(Node(to_plain(each))) for each in labels] == selected
    assert [network_policies.selects(selector, each) for each in labels] == selected


def test_the_original_is_of_the_release_that_the_cluster_runs() -> None:
    wanted = re.search(r"k8s.io/kubernetes v1\.(\S+)", _KUBERNETES.read_text())
    assert wanted is not None
    modules = _MODULE.read_text()
    assert all(f"\tk8s.io/{name} v0.{wanted[1]}\n" in modules for name in ("api", "apimachinery"))


@dataclass(frozen=True)
class _End:
    """One of a connection: a pod, or an address outside."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    ports: tuple[NamedPort, ...] = ()

    def asked(self) -> dict[str, Any]:
        spaces = _NAMESPACES.get(self.namespace, {})
        return {"ip": self.address, "namespace": self.namespace, "labels": self.labels, "namespaceLabels": spaces}


_NAMESPACES: Final[Mapping[str, Mapping[str, str]]] = {"one": {"a": "x"}, "two": {"a": "y", "b": "x"}}
# Of the networks below, and those beside them.
_FIRST_AND_LAST: Final = ("9.255.255.255", "10.0.0.0", "10.63.255.255", "10.64.0.0", "10.255.255.255", "11.0.0.0")
_OUTSIDE: Final = tuple(map(_End, (*_FIRST_AND_LAST, "1.2.3.4", "1.2.3.5", "192.168.1.1", "2001:db8::1")))
# The port of a connection, and its protocol.
_PORTS: Final = ((80, "TCP"), (80, "UDP"), (443, "TCP"), (8080, "TCP"), (65535, "TCP"), (53, "UDP"), (9, "SCTP"))
_WEB: Final = (NamedPort("web", "TCP", 80), NamedPort("dns", "UDP", 53))

# cyclonus takes a label that is missing for an empty one, and for none where NotIn asks: neither is asked of it here.
_PLAIN_TEXTS: Final = st.sampled_from(("x", "y"))
_PLAIN_MAPS: Final = st.dictionaries(st.sampled_from(_KEYS), _PLAIN_TEXTS, max_size=2)
_PLAIN_EXPRESSIONS: Final[tuple[dict[str, Any], ...]] = (
    *(_expression(key, "In", [value]) for key in _KEYS for value in ("x", "y")),
    *(_expression(key, operator, []) for key in _KEYS for operator in ("Exists", "DoesNotExist")),
)
_OF_PODS: Final[_Objects] = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": _PLAIN_MAPS,
        "matchExpressions": st.lists(st.sampled_from(_PLAIN_EXPRESSIONS), max_size=1),
    },
)
_BLOCKS: Final[tuple[dict[str, Any], ...]] = (
    *({"cidr": cidr} for cidr in ("0.0.0.0/0", "10.0.0.0/8", "1.2.3.4/32", "128.0.0.0/1", "10.1.0.1/32", "::/0")),
    {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]},
    {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/9", "1.0.0.0/8", "10.0.0.0/10"]},
    {"cidr": "10.0.0.0/8", "except": ["10.64.0.0/10", "10.1.0.2/32"]},
    {"cidr": "10.9.7.7/8"},
    {"cidr": "2000::/3", "except": ["2001:db8::/32"]},
    {"cidr": "2001:db8::/32"},
)
_PEERS: Final[_Objects] = st.one_of(
    st.fixed_dictionaries({"ipBlock": st.sampled_from(_BLOCKS)}),
    st.fixed_dictionaries({"podSelector": _OF_PODS}),
    st.fixed_dictionaries({"namespaceSelector": _OF_PODS}),
    st.fixed_dictionaries({"podSelector": _OF_PODS, "namespaceSelector": _OF_PODS}),
)
_STATED_PORTS: Final[tuple[dict[str, Any], ...]] = (
    *({"port": 80}, {"port": 80, "protocol": "UDP"}, {"port": "web"}, {"port": "dns", "protocol": "UDP"}),
    *({"port": "dns"}, {"protocol": "UDP"}, {"protocol": "SCTP"}, {}, {"port": 80, "endPort": 443}),
    *(
        {"port": 443, "endPort": 65535, "protocol": "TCP"},
        {"port": 8080, "endPort": 8080},
        {"port": 53, "protocol": "UDP"},
    ),
)


def _rules(peers: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    lists: dict[str, st.SearchStrategy[Any]] = {
        peers: st.lists(_PEERS, max_size=2),
        "ports": st.lists(st.sampled_from(_STATED_PORTS), max_size=2),
    }
    return st.lists(st.fixed_dictionaries({}, optional=lists), max_size=2)


_TYPES: Final = (["Ingress"], ["Egress"], ["Ingress", "Egress"])
_POLICY: Final[_Objects] = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"namespace": st.sampled_from(tuple(_NAMESPACES))}),
        "spec": st.fixed_dictionaries(
            {
                "podSelector": _OF_PODS,
                "policyTypes": st.sampled_from(_TYPES),
                "ingress": _rules("from"),
                "egress": _rules("to"),
            }
        ),
    }
)
_POD_LABELS: Final = st.tuples(_PLAIN_MAPS, _PLAIN_MAPS, _PLAIN_MAPS)


def _pods(labels: Sequence[Mapping[str, str]]) -> tuple[_End, ...]:
    one, two, three = labels
    return _End("10.1.0.1", "one", one, _WEB), _End("10.1.0.2", "one", two), _End("10.1.0.3", "two", three, _WEB)


@dataclass(frozen=True)
class _Flow:
    """A connection that is asked about."""

    source: _End
    target: _End
    port: int
    protocol: str

    @property
    def name(self) -> str:
        """What the pod that is connected to calls the port."""
        named = [each.name for each in self.target.ports if (each.number, each.protocol) == (self.port, self.protocol)]
        return named[0] if named else ""

    def asked(self) -> dict[str, Any]:
        ends = {"source": self.source.asked(), "destination": self.target.asked()}
        return {**ends, "port": self.port, "name": self.name, "protocol": self.protocol}


def _flows(pods: Sequence[_End]) -> list[_Flow]:
    pairs = [(one, other) for one, other in product((*pods, *_OUTSIDE), repeat=2) if one != other]
    inside = [pair for pair in pairs if pair[0].namespace or pair[1].namespace]
    return [_Flow(source, target, *port) for source, target in inside for port in _PORTS]


def _enforced(rules: tuple[Allowed, ...] | None, peer: _End, flow: _Flow) -> bool:
    """What the enforcer's rules of a pod say of a connection with a peer."""
    if rules is None:
        return True
    address = IPv4Address(peer.address)
    return any(
        (rule.peers is None or address in rule.peers)
        and (
            rule.ports is None
            or any(each.protocol == flow.protocol and each.first <= flow.port <= each.last for each in rule.ports)
        )
        for rule in rules
    )


def _judged(policies: Sequence[Resource], pod: _End, direction: str, peer: _End, flow: _Flow) -> bool:
    """What the policies' evaluator says of a connection of a pod with an address outside."""
    labels = Node(to_plain(dict(pod.labels)))
    closing = [
        policy
        for policy in policies
        if policy.namespace == pod.namespace
        and owners.selector_of(policy).fits(labels)
        and reach.isolates(policy, direction)
    ]
    found = [each for policy in closing for each in reach.openings(policy, direction, unknown=False)]
    return not closing or any(_is_open(each, peer, flow) for each in found)


def _is_open(opening: Opening, peer: _End, flow: _Flow) -> bool:
    address = ip_address(peer.address)
    reached = any(
        block.version == address.version and block.first <= int(address) <= block.last for block in opening.blocks
    )
    return reached and any(
        each.protocol == flow.protocol
        and (each.name == flow.name if each.name else each.first <= flow.port <= each.last)
        for each in opening.ports
    )


def _agree(original: Original, policies: list[dict[str, Any]], labels: Sequence[Mapping[str, str]]) -> None:
    pods = _pods(labels)
    flows = _flows(pods)
    # Each under a name of its own.
    named = [{**each, "metadata": {**each["metadata"], "name": f"p{index}"}} for index, each in enumerate(policies)]
    answer = original.answer({"policies": named, "traffic": [flow.asked() for flow in flows]})
    known = [Pod(pod.namespace, pod.address, pod.labels, IPv4Address(pod.address), pod.ports) for pod in pods]
    enforced = {str(each.pod.address): each for each in network_policies.pod_rules(known, _NAMESPACES, named)}
    resources = [_resource(each) for each in named]
    for index, flow in enumerate(flows):
        for direction, pod, peer in (
            (reach.INGRESS, flow.target, flow.source),
            (reach.EGRESS, flow.source, flow.target),
        ):
            if not pod.namespace:
                continue
            wanted = answer[direction][index]
            if not peer.namespace:
                assert _judged(resources, pod, direction, peer, flow) == wanted, (direction, flow)
            # The cluster has IPv4 only.
            if ":" not in peer.address:
                rules = enforced[pod.address]
                stated = rules.ingress if direction == reach.INGRESS else rules.egress
                assert _enforced(stated, peer, flow) == wanted, (direction, flow)


@pytest.mark.parametrize("ports", [[], *([each] for each in _STATED_PORTS)], ids=str)
def test_each_network_with_each_port_is_open_as_the_original_says(
    original: Original, ports: list[dict[str, Any]]
) -> None:
    for block in _BLOCKS:
        rule = {"ports": ports}
        spec: dict[str, Any] = {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{**rule, "from": [{"ipBlock": block}]}],
            "egress": [{**rule, "to": [{"ipBlock": block}]}],
        }
        _agree(original, [{"metadata": {"namespace": "one"}, "spec": spec}], [{}, {}, {}])


@settings(max_examples=_EXAMPLES, derandomize=_IN_SUITE, suppress_health_check=(HealthCheck.too_slow,))
@given(st.lists(_POLICY, min_size=1, max_size=3), _POD_LABELS)
def test_a_pod_is_reached_and_reaches_as_the_original_says(
    original: Original, policies: list[dict[str, Any]], labels: Sequence[Mapping[str, str]]
) -> None:
    _agree(original, policies, labels)


def _resource(policy: dict[str, Any]) -> Resource:
    properties = to_plain(policy)
    assert isinstance(properties, dict)
    name = policy["metadata"]["name"]
    return Resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", name, name, properties)
