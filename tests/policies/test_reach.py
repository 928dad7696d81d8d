"""What of the Internet NetworkPolicies let through, to which ports, and which pods they close.

Nothing here takes a fixture: the mutation of what the rules share asks each of these, too.
"""

from __future__ import annotations

from policies import reach
from policies.model import Resource
from policies.plain import MISSING, SECRET, UNKNOWN, Node, Plain
from policies.reach import Block, Opening, Ports


def _policy(**spec: Plain) -> Resource:
    return Resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", "p", "p", {"spec": {**spec}})


def _blocks(*peers: Plain) -> tuple[Block, ...]:
    return reach.blocks_of(Node([*peers]))


def _block(cidr: Plain, *left_out: Plain) -> Plain:
    return {"ipBlock": {"cidr": cidr, "except": [*left_out]}}


def _ports(*entries: Plain, unknown: bool = False) -> tuple[Ports, ...]:
    return reach.ports_of(Node([*entries]), unknown=unknown)


def test_a_policy_without_types_closes_the_way_in_and_the_way_out_where_it_has_rules_for_it() -> None:
    cases: list[tuple[dict[str, Plain], tuple[bool | None, bool | None]]] = [
        ({}, (True, False)),
        ({"egress": []}, (True, False)),
        ({"egress": [{}]}, (True, True)),
        ({"egress": UNKNOWN}, (True, None)),
        ({"policyTypes": []}, (True, False)),
        ({"policyTypes": ["Egress"]}, (False, True)),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, (True, False)),
        ({"policyTypes": ["Ingress", "Egress"]}, (True, True)),
        ({"policyTypes": UNKNOWN}, (None, None)),
        ({"policyTypes": ["Ingress", UNKNOWN]}, (True, None)),
    ]
    for spec, wanted in cases:
        found = tuple(reach.isolates(_policy(**spec), way) for way in (reach.INGRESS, reach.EGRESS))
        assert found == wanted, spec


def test_a_network_is_its_addresses_without_those_that_it_leaves_out() -> None:
    ten = 10 * 2**24
    assert _blocks(_block("10.0.0.0/8")) == (Block(4, ten, ten + 2**24 - 1),)
    assert _blocks(_block("10.0.0.0/8", "10.0.0.0/8")) == ()
    assert _blocks(_block("10.0.0.0/31", "10.0.0.0/32")) == (Block(4, ten + 1, ten + 1),)
    assert _blocks(_block("10.0.0.0/8", "10.0.0.0/9")) == (Block(4, ten + 2**23, ten + 2**24 - 1),)
    assert _blocks(_block("10.0.0.0/8", "10.128.0.0/9")) == (Block(4, ten, ten + 2**23 - 1),)
    middle = (Block(4, ten, ten + 2**22 - 1), Block(4, ten + 2**23, ten + 2**24 - 1))
    assert _blocks(_block("10.0.0.0/8", "10.64.0.0/11", "10.96.0.0/11")) == middle
    assert _blocks(_block("10.0.0.0/8", UNKNOWN)) == _blocks(_block("10.0.0.0/8"))
    assert _blocks(_block("fd00::/8"))[0].version == 6
    assert _blocks({"podSelector": {}}, _block("not a network"), _block("10.0.0.0/8", "x"), _block(7)) == ()


def test_without_a_peer_a_rule_is_open_to_everybody() -> None:
    assert reach.everybody(reach.blocks_of(Node(MISSING)))
    assert reach.everybody(reach.blocks_of(Node([])))
    assert reach.blocks_of(Node(UNKNOWN)) == reach.blocks_of(Node([UNKNOWN])) == _blocks(_block(SECRET)) == ()
    assert reach.everybody(reach.blocks_of(Node(UNKNOWN), unknown=True))
    assert reach.everybody(reach.blocks_of(Node([_block(UNKNOWN)]), unknown=True))
    assert not reach.everybody(reach.blocks_of(Node([{"podSelector": {}}]), unknown=True))


def test_a_quarter_of_the_internet_is_everybody_and_a_private_network_is_not() -> None:
    for peers in (
        ["0.0.0.0/0"],
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["0.0.0.0/3", "32.0.0.0/3"],
        ["0.0.0.0/2"],
        ["::/0"],
        ["2000::/5"],
        ["2000::/6", "2400::/6"],
        ["10.0.0.0/8", "::/1"],
    ):
        assert reach.everybody(_blocks(*map(_block, peers))), peers
    for peers in (
        ["0.0.0.0/3"],
        ["0.0.0.0/3", "0.0.0.0/3", "16.0.0.0/4"],
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        ["2000::/6"],
        ["fc00::/7", "fe80::/10", "ff00::/8"],
        ["0.0.0.0/3", "2000::/6"],
        ["::/3", "4000::/2", "8000::/1"],
    ):
        assert not reach.everybody(_blocks(*map(_block, peers))), peers


def test_a_rule_without_ports_or_an_entry_without_a_number_is_open_at_every_port() -> None:
    assert reach.count(reach.ports_of(Node(MISSING))) == reach.count(_ports()) == 3 * 2**16
    assert reach.count(_ports({"protocol": "UDP"})) == reach.count(_ports({})) == 2**16
    assert _ports({"protocol": "UDP"})[0].protocol == "UDP"
    assert _ports({"port": 53, "protocol": "UDP"}, {"port": 53}) == (Ports("UDP", 53, 53), Ports("TCP", 53, 53))
    assert _ports({"port": 1, "endPort": 9}) == (Ports("TCP", 1, 9),)
    assert _ports({"port": "http"}) == (Ports("TCP", 0, 0, "http"),)
    entries: list[Plain] = [
        {"port": UNKNOWN},
        {"port": 1, "endPort": UNKNOWN},
        {"port": 1, "protocol": SECRET},
        UNKNOWN,
    ]
    for hidden in entries:
        assert _ports(hidden) == ()
        assert reach.count(_ports(hidden, unknown=True)) == 3 * 2**16


def test_an_address_at_either_end_of_the_internet_counts() -> None:
    low, high = 2**125, 2**126 - 1
    quarter = 2**123
    for outside in (Block(6, high, high + 9), Block(6, low - 9, low)):
        inside = Block(6, low + 9, low + 9 + quarter - 2)
        assert reach.everybody([inside, outside])
        assert not reach.everybody([inside])
        assert not reach.everybody([inside, Block(4, outside.first, outside.last)])


def test_ports_are_counted_once() -> None:
    assert reach.count(_ports({"port": 1, "endPort": 9}, {"port": 9, "endPort": 12})) == 12
    assert reach.count(_ports({"port": 1, "endPort": 9}, {"port": 5, "endPort": 12}, {"port": 13})) == 13
    assert reach.count(_ports({"port": 1}, {"port": 1, "protocol": "UDP"}, {"port": "a"}, {"port": "b"})) == 4
    assert reach.count(_ports({"port": 1, "endPort": 20}, {"port": 3, "endPort": 4})) == 20
    assert reach.count(()) == 0


def test_openings_add_up_at_the_ports_that_they_share() -> None:
    low, high = _blocks(_block("0.0.0.0/3")), _blocks(_block("32.0.0.0/3"))

    def opened(*pairs: tuple[tuple[Block, ...], Plain]) -> int:
        return reach.open_ports(Opening(blocks, _ports(port)) for blocks, port in pairs)

    assert opened((low, {"port": 1}), (high, {"port": 1})) == 1
    assert opened((low, {"port": 1}), (high, {"port": 2})) == 0
    assert opened((low, {"port": 1}), (high, {"port": 1, "protocol": "UDP"})) == 0
    assert opened((low, {"port": "a"}), (high, {"port": "a"})) == 1
    assert opened((low, {"port": "a"}), (high, {"port": "b"})) == 0
    assert opened((low, {"port": 1, "endPort": 10}), (high, {"port": 8, "endPort": 20})) == 3
    assert opened((low, {"port": 1, "endPort": 10}), (high, {"port": 10, "endPort": 20})) == 1
    assert opened((low, {"port": 1, "endPort": 10}), (high, {"port": 11, "endPort": 20})) == 0
    assert opened((low + high, {})) == 2**16
    assert opened(((), {}), ((), {"port": 1})) == 0


def test_the_openings_of_a_policy_are_those_of_its_rules_in_the_direction() -> None:
    policy = _policy(ingress=[{"from": [_block("10.0.0.0/8")], "ports": [{"port": 1}]}], egress=[{}, UNKNOWN])
    (found,) = reach.openings(policy, reach.INGRESS, unknown=False)
    assert (found.ports, reach.everybody(found.blocks)) == ((Ports("TCP", 1, 1),), False)
    known, later = (reach.openings(policy, reach.EGRESS, unknown=unknown)[1] for unknown in (False, True))
    assert (known.blocks, known.ports, reach.everybody(later.blocks)) == ((), (), True)
