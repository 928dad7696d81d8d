"""What NetworkPolicies allow, case by case, and the firewall's text that says so."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
import yaml

from local.cluster import firewall
from local.cluster.network_policies import (
    Allowed,
    Block,
    Direction,
    NamedPort,
    Peers,
    Pod,
    PodRules,
    PortRange,
    merged,
    pod_of,
    pod_rules,
    selects,
)


def _pod(name: str, address: str, namespace: str = "crypto", **labels: str) -> Pod:
    ports = (NamedPort("web", "TCP", 8080), NamedPort("dns", "UDP", 53)) if name == "db" else ()
    return Pod(namespace, name, {"app": name, **labels}, IPv4Address(address), ports)


ADDRESSES = {
    "api": "10.244.0.2", "db": "10.244.0.3", "job": "10.244.0.4", "prom": "10.244.0.5", "other": "10.244.0.6",
    "node": "10.231.0.2", "outside": "192.0.2.7",
}  # fmt: skip
PODS = [
    _pod("api", ADDRESSES["api"], tier="front"),
    _pod("db", ADDRESSES["db"], tier="back"),
    _pod("job", ADDRESSES["job"]),
    _pod("prom", ADDRESSES["prom"], "monitoring", role="scraper"),
    _pod("other", ADDRESSES["other"], "monitoring"),
]
PEERS = (IPv4Address("10.0.0.10"), IPv4Address("10.0.0.9"))
PRIVATE = IPv4Network("10.0.0.0/8")
NAMESPACES = {"crypto": {"team": "crypto"}, "monitoring": {"team": "watch"}}


def _policy(spec: str, namespace: str = "crypto") -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": namespace}, "spec": yaml.safe_load(spec)}


def _rules(*specs: str) -> list[PodRules]:
    return pod_rules(PODS, NAMESPACES, [_policy(spec) for spec in specs])


def _is_peer(peers: Peers | None, address: IPv4Address) -> bool:
    return peers is None or address in peers


def _lets(allowed: tuple[Allowed, ...] | None, peer: IPv4Address, protocol: str, port: int) -> bool:
    return allowed is None or any(
        _is_peer(each.peers, peer)
        and (each.ports is None or any(p.protocol == protocol and p.first <= port <= p.last for p in each.ports))
        for each in allowed
    )


def _passes(rules: list[PodRules], connection: str) -> bool:
    """Judges "api>db TCP 5432": the source's egress, then the target's ingress."""
    ends, protocol, number = connection.split()
    source, target = (IPv4Address(ADDRESSES[name]) for name in ends.split(">"))
    by_address = {each.pod.address: each for each in rules}
    egress = by_address[source].egress if source in by_address else None
    ingress = by_address[target].ingress if target in by_address else None
    return _lets(egress, target, protocol, int(number)) and _lets(ingress, source, protocol, int(number))


DENY_ALL = "{podSelector: {}, policyTypes: [Ingress, Egress]}"
DB_FROM = "{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [%s]}"
API_TO = "{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [%s]}"


@pytest.mark.parametrize(
    ("specs", "open_ones", "closed_ones"),
    [
        pytest.param([], ["api>db TCP 1", "prom>db UDP 9", "db>outside TCP 443"], [], id="no policy: open"),
        pytest.param(
            [DENY_ALL], ["prom>other TCP 1", "prom>outside TCP 1"],
            ["api>db TCP 1", "api>node UDP 53", "prom>db TCP 1", "api>prom TCP 1"],
            id="default deny closes its namespace in both directions and no other",
        ),
        pytest.param(
            ["{podSelector: {}}"], ["api>prom TCP 1", "api>node TCP 1"], ["api>db TCP 1", "prom>api TCP 1"],
            id="without types a policy is for ingress",
        ),
        pytest.param(
            ["{podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}"], [],
            ["api>prom TCP 1", "api>job TCP 1", "prom>db TCP 1", "api>db TCP 1"],
            id="without types but with egress rules it is for both",
        ),
        pytest.param(
            [DB_FROM % "{}"], ["api>db TCP 1", "prom>db SCTP 9", "outside>db UDP 1"], [], id="an empty rule allows all",
        ),
        pytest.param(
            [DB_FROM % "{from: [{podSelector: {matchLabels: {app: api}}}]}"], ["api>db TCP 1", "api>db UDP 2"],
            ["job>db TCP 1", "prom>db TCP 1", "outside>db TCP 1"], id="pods of the same namespace",
        ),
        pytest.param(
            [DB_FROM % "{from: [{podSelector: {}}]}"], ["api>db TCP 1", "job>db TCP 1"], ["prom>db TCP 1"],
            id="an empty podSelector is the own namespace only",
        ),
        pytest.param(
            [DB_FROM % "{from: [{namespaceSelector: {matchLabels: {team: watch}}}]}"],
            ["prom>db TCP 1", "other>db TCP 1"], ["api>db TCP 1"], id="all pods of a namespace",
        ),
        pytest.param(
            [DB_FROM % "{from: [{namespaceSelector: {}}]}"], ["prom>db TCP 1", "api>db TCP 1"], ["outside>db TCP 1"],
            id="an empty namespaceSelector is every pod and no other address",
        ),
        pytest.param(
            [DB_FROM % "{from: [{namespaceSelector: {matchLabels: {team: watch}}, podSelector: {matchLabels: {role: scraper}}}]}"],  # noqa: E501 - one policy
            ["prom>db TCP 1"], ["other>db TCP 1", "api>db TCP 1"], id="both selectors in one entry: both must hold",
        ),
        pytest.param(
            [DB_FROM % "{from: [{namespaceSelector: {matchLabels: {team: watch}}}, {podSelector: {matchLabels: {app: api}}}]}"],  # noqa: E501 - one policy
            ["prom>db TCP 1", "other>db TCP 1", "api>db TCP 1"], ["job>db TCP 1"],
            id="both selectors in two entries: one must hold",
        ),
        pytest.param(
            [DB_FROM % "{ports: [{port: 5432}, {protocol: UDP, port: 53}]}"],
            ["api>db TCP 5432", "outside>db UDP 53"], ["api>db TCP 53", "api>db UDP 5432", "api>db TCP 5433"],
            id="ports of everybody; TCP where no protocol stands",
        ),
        pytest.param(
            [DB_FROM % "{ports: [{port: 8000, endPort: 8010}]}"], ["api>db TCP 8000", "api>db TCP 8010"],
            ["api>db TCP 7999", "api>db TCP 8011"], id="a range has both its ends",
        ),
        pytest.param(
            [DB_FROM % "{ports: [{protocol: SCTP}]}"], ["api>db SCTP 1", "api>db SCTP 65535"], ["api>db TCP 1"],
            id="a protocol without a port is all its ports",
        ),
        pytest.param(
            [DB_FROM % "{ports: [{port: web}]}"], ["api>db TCP 8080"], ["api>db TCP 80", "api>db UDP 8080"],
            id="a named port is the target's number",
        ),
        pytest.param(
            [DB_FROM % "{ports: [{port: dns}]}"], [], ["api>db UDP 53", "api>db TCP 53"],
            id="a name of another protocol is no port",
        ),
        pytest.param(
            ["{podSelector: {matchLabels: {app: job}}, ingress: [{ports: [{port: web}]}]}"], [], ["api>job TCP 8080"],
            id="a name that the target does not know allows nothing",
        ),
        pytest.param(
            [API_TO % "{ports: [{port: web}]}"], ["api>db TCP 8080"], ["api>job TCP 8080", "api>node TCP 8080"],
            id="egress to a named port: pods that have it",
        ),
        pytest.param(
            [API_TO % "{to: [{podSelector: {}}], ports: [{port: web}, {port: 9}]}"],
            ["api>db TCP 8080", "api>job TCP 9"],
            ["api>job TCP 8080", "api>prom TCP 9"], id="egress to names and numbers together",
        ),
        pytest.param(
            [API_TO % "{to: [{ipBlock: {cidr: 10.231.0.2/32}}], ports: [{port: 6443}]}"], ["api>node TCP 6443"],
            ["api>node TCP 4566", "api>outside TCP 6443", "api>db TCP 6443"], id="a block and its ports",
        ),
        pytest.param(
            [API_TO % "{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.0.2.7/32]}}]}"], [],
            ["api>node TCP 1", "api>db TCP 1", "api>outside TCP 1"], id="exceptions of a block",
        ),
        pytest.param(
            [API_TO % "{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}, {ipBlock: {cidr: 10.128.0.0/9}}]}"],
            ["api>node TCP 1", "api>db TCP 1", "api>outside TCP 1"], [],
            id="an exception holds for its own block only",
        ),
        pytest.param(
            [API_TO % "{to: [{podSelector: {matchLabels: {app: job}}}], ports: [{port: web}]}"],
            [], ["api>db TCP 8080", "api>job TCP 8080"], id="a named port of a pod that is no peer stays closed",
        ),
        pytest.param(
            [API_TO % "{to: [{podSelector: {matchLabels: {app: nobody}}}]}"], [], ["api>db TCP 1"],
            id="peers that are not there are not everybody",
        ),
        pytest.param(
            [DENY_ALL, DB_FROM % "{from: [{podSelector: {}}], ports: [{port: 5432}]}", API_TO % "{to: []}"],
            ["api>db TCP 5432"], ["api>db TCP 5433", "job>db TCP 5432", "api>job TCP 1"],
            id="policies add up, and both ends must allow",
        ),
        pytest.param(
            ["{podSelector: {matchExpressions: [{key: tier, operator: In, values: [back]}]}}"],
            ["api>job TCP 1"], ["api>db TCP 1"], id="an expression selects the pods of a policy",
        ),
    ],
)  # fmt: skip
def test_a_connection_passes_exactly_where_the_policies_allow_it(
    specs: list[str], open_ones: list[str], closed_ones: list[str]
) -> None:
    rules = _rules(*specs)
    assert [each for each in open_ones if not _passes(rules, each)] == []
    assert [each for each in closed_ones if _passes(rules, each)] == []


def test_a_block_of_ipv6_is_nobody_here_and_gives_no_rule() -> None:
    rules = _rules(API_TO % "{to: [{ipBlock: {cidr: '2001:db8::/32'}}]}")
    assert [each.egress for each in rules if each.pod.name == "api"] == [()]


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("{}", True),
        ("{matchLabels: {a: x}}", True),
        ("{matchLabels: {a: x, b: y}}", False),
        ("{matchExpressions: [{key: a, operator: In, values: [w, x]}]}", True),
        ("{matchExpressions: [{key: b, operator: In, values: [w, x]}]}", False),
        ("{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}", False),
        ("{matchExpressions: [{key: b, operator: NotIn, values: [x]}]}", True),
        ("{matchExpressions: [{key: a, operator: Exists}]}", True),
        ("{matchExpressions: [{key: b, operator: Exists}]}", False),
        ("{matchExpressions: [{key: b, operator: DoesNotExist}]}", True),
        ("{matchExpressions: [{key: a, operator: DoesNotExist}]}", False),
        ("{matchLabels: {a: x}, matchExpressions: [{key: c, operator: Exists}]}", False),
    ],
)
def test_a_selector_matches_labels_as_the_api_says(selector: str, *, matches: bool) -> None:
    assert selects(yaml.safe_load(selector), {"a": "x"}) is matches


def test_an_unknown_operator_is_named_and_not_taken_for_a_match() -> None:
    with pytest.raises(ValueError, match="'Near'"):
        selects({"matchExpressions": [{"key": "a", "operator": "Near"}]}, {"a": "x"})


def test_a_policy_holds_for_pods_of_its_own_namespace_only() -> None:
    rules = pod_rules(PODS, NAMESPACES, [_policy(DENY_ALL, "monitoring")])
    assert {each.pod.name for each in rules if each.ingress is not None} == {"prom", "other"}
    assert {each.pod.name for each in rules if each.egress is not None} == {"prom", "other"}


def test_ports_of_containers_and_sidecars_are_known_by_name_and_those_of_other_init_containers_are_not() -> None:
    pod = pod_of(
        yaml.safe_load("""
        metadata: {namespace: crypto, name: db}
        spec:
          containers: [{ports: [{name: web, containerPort: 80}, {containerPort: 81}]}, {}]
          initContainers:
          - {restartPolicy: Always, ports: [{name: side, containerPort: 82, protocol: UDP}]}
          - {ports: [{name: once, containerPort: 83}]}
        """),
        IPv4Address("10.244.0.9"),
    )
    assert set(pod.ports) == {NamedPort("web", "TCP", 80), NamedPort("side", "UDP", 82)}
    assert pod.labels == {}


def test_ranges_that_overlap_or_touch_become_one() -> None:
    found = merged(
        [PortRange("TCP", 80, 90), PortRange("TCP", 85, 87), PortRange("TCP", 91, 92), PortRange("UDP", 90, 93)]
    )
    assert found == (PortRange("TCP", 80, 92), PortRange("UDP", 90, 93))


def _lines(*rules: PodRules) -> list[str]:
    return [line.strip() for line in firewall.script(rules).splitlines()]


def _chain(direction: Direction, *allowed: Allowed) -> list[str]:
    """The lines of the one chain of a pod that has `allowed` for one direction."""
    ingress = direction == "Ingress"
    lines = _lines(PodRules(PODS[0], allowed if ingress else None, None if ingress else allowed))
    start = lines.index(f"chain {direction.lower()}-10.244.0.2 {{")
    return lines[start + 1 : lines.index("}", start)]


def test_a_pod_under_a_policy_reaches_itself_and_is_refused_the_rest() -> None:
    assert _chain("Egress") == ["ip daddr 10.244.0.2 return", "goto refuse"]
    assert _chain("Ingress") == ["ip saddr 10.244.0.2 return", "goto refuse"]


@pytest.mark.parametrize(
    ("allowed", "line"),
    [
        (Allowed(None, None), "return"),
        (Allowed(frozenset(PEERS), None), "ip daddr { 10.0.0.9, 10.0.0.10 } return"),
        (Allowed(None, (PortRange("TCP", 80, 80), PortRange("TCP", 90, 99))), "tcp dport { 80, 90-99 } return"),
        (Allowed(None, (PortRange("SCTP"),)), "meta l4proto 132 return"),
        (Allowed(Block(PRIVATE), (PortRange("UDP", 53, 53),)), "ip daddr 10.0.0.0/8 udp dport { 53 } return"),
        (Allowed(Block(IPv4Network("0.0.0.0/0")), None), "return"),
        (
            Allowed(Block(IPv4Network("0.0.0.0/0"), (PRIVATE, IPv4Network("10.1.0.0/16"))), None),
            "ip daddr != { 10.0.0.0/8 } return",
        ),
        (
            Allowed(Block(PRIVATE, (IPv4Network("10.9.0.0/16"), IPv4Network("10.1.0.1/32"))), None),
            "ip daddr 10.0.0.0/8 ip daddr != { 10.1.0.1/32, 10.9.0.0/16 } return",
        ),
    ],
)  # fmt: skip
def test_what_is_allowed_is_one_line_of_the_firewall(allowed: Allowed, line: str) -> None:
    assert _chain("Egress", allowed)[1:-1] == [line]
    assert _chain("Ingress", allowed)[1:-1] == [line.replace("daddr", "saddr")]


def test_ports_of_two_protocols_are_two_lines() -> None:
    ports = (PortRange("TCP", 53, 53), PortRange("UDP", 53, 53))
    assert _chain("Egress", Allowed(None, ports))[1:-1] == ["tcp dport { 53 } return", "udp dport { 53 } return"]


def test_an_open_pod_has_no_chain_and_is_known() -> None:
    lines = _lines(PodRules(PODS[0], None, None), PodRules(PODS[1], (), None))
    assert "ip saddr != { 10.244.0.2, 10.244.0.3 } drop" in lines
    assert "ip daddr vmap { 10.244.0.3 : jump ingress-10.244.0.3 }" in lines
    assert not [line for line in lines if "gress-10.244.0.2" in line or line.startswith("ip saddr vmap")]


def test_an_address_that_nobody_vouches_for_is_held_even_where_no_pod_is_known() -> None:
    lines = _lines()
    assert "drop" in lines
    assert 'oifname != "eth0" drop' in lines


def test_the_node_the_machine_and_what_was_let_through_pass_before_any_rule_of_a_pod() -> None:
    lines = _lines(PodRules(PODS[0], (), ()))
    judged = lines[lines.index("chain judge {") + 1 :]
    assert judged[:2] == ['iifname { "lo", "eth0" } accept', "ct state established,related accept"]
    for hook in ("input", "forward"):
        start = lines.index(f"chain {hook} {{")
        assert lines[start + 1 : start + 3] == [
            f"type filter hook {hook} priority filter - 1; policy accept;",
            "jump judge",
        ]


def test_the_same_state_gives_the_same_text_whatever_its_order() -> None:
    rules = _rules(DENY_ALL)
    assert firewall.script(rules) == firewall.script(list(reversed(rules)))
