"""The rules of the pods as a table of nftables: a whole table as one text, which the kernel takes in one step.

A table of its own, judged just before the filter rules that kube-proxy keeps: none can overwrite or overtake the other.
Connections are judged when they begin, after a Service's address was replaced; what belongs to one that was let through
passes. Programs of the node send from its own output, which is not judged at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from itertools import groupby

from local.cluster.network import NODE_INTERFACE
from local.cluster.network_policies import LAST_PORT, Allowed, Block, Peers, PodRules, PortRange

TABLE = "network_policies"
DENIED_SET = "denied"
MAX_DENIED = 1024
# By number: a slim system has no list of their names.
PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}

_REFUSE = "refuse"
_FLOW = "ip saddr . ip daddr . meta l4proto . th dport"


def script(rules: Sequence[PodRules]) -> str:
    """Input of `nft --file`: replaces the table as a whole, whether or not it exists."""
    ordered = sorted(rules, key=lambda each: each.pod.address)
    chains = [*(chain for each in ordered for chain in _pod_chains(each)), *_base_chains(ordered)]
    body = "\n".join(f"    {line}" for chain in chains for line in chain)
    return f"""add table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    set {DENIED_SET} {{
        type ipv4_addr . ipv4_addr . inet_proto . inet_service
        size {MAX_DENIED}
        flags dynamic
    }}
    chain {_REFUSE} {{
        meta l4proto {_braces(map(str, PROTOCOLS.values()))} add @{DENIED_SET} {{ {_FLOW} }}
        reject with icmpx admin-prohibited
    }}
{body}
}}
"""


def _base_chains(rules: Sequence[PodRules]) -> Iterator[list[str]]:
    known = [each.pod.address for each in rules]
    yield _chain(
        "judge",
        # The node itself, and the machine on the other side of its interface.
        f'iifname {{ "lo", "{NODE_INTERFACE}" }} accept',
        "ct state established,related accept",
        # Pods have IPv4 addresses only; by link-local ones they could go round the rules below.
        "meta nfproto ipv6 drop",
        # A pod whose rules are not here yet is held, not refused: it tries again by itself.
        f"ip saddr != {_set(known)} drop" if known else "drop",
        *_dispatch("ip saddr", [each for each in rules if each.egress is not None], "egress"),
        *_dispatch("ip daddr", [each for each in rules if each.ingress is not None], "ingress"),
    )
    yield _chain("input", "type filter hook input priority filter - 1; policy accept;", "jump judge")
    yield _chain(
        "forward",
        "type filter hook forward priority filter - 1; policy accept;",
        "jump judge",
        f'oifname != "{NODE_INTERFACE}" ip daddr != {_set(known)} drop'
        if known
        else f'oifname != "{NODE_INTERFACE}" drop',
    )


def _dispatch(field: str, rules: Sequence[PodRules], direction: str) -> list[str]:
    if not rules:
        return []
    return [f"{field} vmap {{ {', '.join(f'{r.pod.address} : jump {_name(direction, r)}' for r in rules)} }}"]


def _pod_chains(rules: PodRules) -> Iterator[list[str]]:
    own = rules.pod.address
    for direction, peer, allowed in (("egress", "ip daddr", rules.egress), ("ingress", "ip saddr", rules.ingress)):
        if allowed is not None:
            lines = [line for each in allowed for line in _allow(each, peer)]
            # What a pod sends to itself through a Service comes by here too.
            yield _chain(_name(direction, rules), f"{peer} {own} return", *lines, f"goto {_REFUSE}")


def _allow(allowed: Allowed, peer: str) -> Iterator[str]:
    matches = _peer_match(allowed.peers, peer)
    for port in _port_matches(allowed.ports):
        yield " ".join(word for word in (matches, port, "return") if word)


def _peer_match(peers: Peers | None, field: str) -> str:
    if peers is None:
        return ""
    if not isinstance(peers, Block):
        return f"{field} {_set(peers)}"
    match = f"{field} {peers.network}" if peers.network.prefixlen else ""
    excluded = f"{field} != {_set(collapse_addresses(peers.exceptions))}" if peers.exceptions else ""
    return f"{match} {excluded}".strip()


def _port_matches(ports: tuple[PortRange, ...] | None) -> Iterator[str]:
    if ports is None:
        yield ""
        return
    for protocol, group in groupby(ports, key=lambda port: port.protocol):
        ranges = list(group)
        if (ranges[0].first, ranges[0].last) == (0, LAST_PORT):
            yield f"meta l4proto {PROTOCOLS[protocol]}"
        else:
            yield f"{protocol.lower()} dport {_braces(_span(port) for port in ranges)}"


def _span(port: PortRange) -> str:
    return str(port.first) if port.first == port.last else f"{port.first}-{port.last}"


def _set(members: Iterable[IPv4Address | IPv4Network]) -> str:
    return _braces(str(member) for member in sorted(members, key=IPv4Network))


def _braces(words: Iterable[str]) -> str:
    return f"{{ {', '.join(words)} }}"


def _name(direction: str, rules: PodRules) -> str:
    return f"{direction}-{rules.pod.address}"


def _chain(name: str, *lines: str) -> list[str]:
    return [f"chain {name} {{", *(f"    {line}" for line in lines), "}"]
