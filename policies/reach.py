"""Whom NetworkPolicies let through: which pods they close, and what of the Internet reaches which ports.

Policies add up: a pod that some policy closes is open to what any of its policies allows, and two halves of the
Internet in two policies are all of it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from policies.model import Resource, among
from policies.plain import MISSING, Node

INGRESS: Final = "Ingress"
EGRESS: Final = "Egress"
_FIELDS: Final[Mapping[str, tuple[str, str]]] = {INGRESS: ("ingress", "from"), EGRESS: ("egress", "to")}
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_LAST_PORT: Final = 65_535
# Addresses of the Internet: those of IPv6 that are handed out lie in 2000::/3.
_SPACES: Final[Mapping[int, tuple[int, int]]] = {4: (0, 2**32 - 1), 6: (2**125, 2**126 - 1)}
# More addresses of the Internet than anybody has: a quarter of them is everybody.
_PARTS: Final = 4

_Range: TypeAlias = tuple[int, int]


class Block(NamedTuple):
    """Addresses of one version, from the first to the last."""

    version: int
    first: int
    last: int


class Ports(NamedTuple):
    """Ports of one protocol, from the first to the last, or the one of that name."""

    protocol: str
    first: int
    last: int
    name: str = ""


_EVERY_PORT: Final = tuple(Ports(protocol, 0, _LAST_PORT) for protocol in _PROTOCOLS)
_EVERYBODY: Final = tuple(Block(version, first, last) for version, (first, last) in _SPACES.items())


@dataclass(frozen=True, slots=True)
class Opening:
    """What one rule of a policy lets through: addresses and ports."""

    blocks: tuple[Block, ...]
    ports: tuple[Ports, ...]


def isolates(policy: Resource, direction: str) -> bool | None:
    """Whether the policy closes its pods in a direction but for its rules; None while that is not yet known."""
    types = policy.at("spec", "policyTypes").elements()
    if types:
        stated = [node.value for node in types]
        return among(direction in stated, unsure=any(node.hidden for node in types))
    # What the API server fills in.
    rules = policy.at("spec", _FIELDS[EGRESS][0])
    if direction == INGRESS:
        return True
    return None if rules.hidden else rules.value not in (MISSING, [])


def rules(policy: Resource, direction: str) -> tuple[Node, ...]:
    """The rules of a policy in a direction."""
    return policy.at("spec", _FIELDS[direction][0]).elements()


def peers(rule: Node, direction: str) -> Node:
    """The list of peers of a rule."""
    return rule.at(_FIELDS[direction][1])


def openings(policy: Resource, direction: str, *, unknown: bool) -> list[Opening]:
    """What the rules of a policy open to addresses. ``unknown``: what is not yet known counts for everything."""
    return [
        Opening(blocks_of(peers(rule, direction), unknown=unknown), ports_of(rule.at("ports"), unknown=unknown))
        for rule in rules(policy, direction)
    ]


def blocks_of(listed: Node, *, unknown: bool = False) -> tuple[Block, ...]:
    """The addresses among the peers of a rule; without a peer it is open to all."""
    if listed.value in (MISSING, []):
        return _EVERYBODY
    return tuple(block for peer in listed.elements() for block in block_of(peer, unknown=unknown))


def block_of(peer: Node, *, unknown: bool = False) -> tuple[Block, ...]:
    """The addresses of a peer without those that it leaves out; none where it is no network."""
    cidr = peer.at("ipBlock", "cidr")
    if cidr.hidden:
        return _EVERYBODY if unknown else ()
    if cidr.text is None:
        return ()
    left_out = [node.text for node in peer.at("ipBlock", "except").elements() if node.text is not None]
    return _block(cidr.text, tuple(left_out))


@lru_cache(maxsize=4096)
def _block(cidr: str, left_out: tuple[str, ...]) -> tuple[Block, ...]:
    try:
        whole = ipaddress.ip_network(cidr, strict=False)
        holes = [ipaddress.ip_network(hole, strict=False) for hole in left_out]
    except ValueError:
        return ()  # the API server refuses it
    first, found = int(whole.network_address), list[Block]()
    for hole in _merged((int(hole.network_address), int(hole.broadcast_address)) for hole in holes):
        if hole[0] > first:
            found.append(Block(whole.version, first, hole[0] - 1))
        first = max(first, hole[1] + 1)
    last = int(whole.broadcast_address)
    return (*found, Block(whole.version, first, last)) if first <= last else tuple(found)


def _merged(ranges: Iterable[_Range]) -> list[_Range]:
    """Ranges in order, those that overlap as one."""
    found: list[_Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def everybody(blocks: Iterable[Block]) -> bool:
    """Whether blocks together are so much of the Internet that nobody in particular is meant."""
    known = [*blocks]
    for version, (low, high) in _SPACES.items():
        within = [
            (max(block.first, low), min(block.last, high))
            for block in known
            if block.version == version and block.first <= high and block.last >= low
        ]
        if sum(last - first + 1 for first, last in _merged(within)) * _PARTS >= high - low + 1:
            return True
    return False


def ports_of(listed: Node, *, unknown: bool = False) -> tuple[Ports, ...]:
    """The ports of a rule; without any it is open at all of them, as an entry without a number is."""
    if listed.value in (MISSING, []):
        return _EVERY_PORT
    return tuple(found for entry in listed.elements() for found in _entry(entry, unknown=unknown))


def _entry(entry: Node, *, unknown: bool) -> tuple[Ports, ...]:
    port, end, protocol = entry.at("port"), entry.at("endPort"), entry.at("protocol")
    if port.hidden or end.hidden or protocol.hidden:
        return _EVERY_PORT if unknown else ()
    name = protocol.text or _PROTOCOLS[0]
    if not port.present:
        return (Ports(name, 0, _LAST_PORT),)
    if port.number is None:
        return (Ports(name, 0, 0, port.text or ""),)
    return (Ports(name, port.number, port.number if end.number is None else end.number),)


def count(ports: Iterable[Ports]) -> int:
    """How many different ports there are."""
    return sum(last - first + 1 for same in _apart(ports).values() for first, last in _merged(same))


def _apart(ports: Iterable[Ports]) -> dict[tuple[str, str], list[_Range]]:
    found: dict[tuple[str, str], list[_Range]] = {}
    for each in ports:
        found.setdefault((each.protocol, each.name), []).append((each.first, each.last))
    return found


def open_ports(found: Iterable[Opening]) -> int:
    """How many ports openings together open to everybody."""
    some = [opening for opening in found if opening.blocks]
    total = 0
    for (protocol, name), ranges in _apart(port for opening in some for port in opening.ports).items():
        starts = sorted({edge for first, last in ranges for edge in (first, last + 1)})
        for first, following in pairwise(starts):
            piece = Ports(protocol, first, following - 1, name)
            if everybody(block for opening in some if _opens(opening, piece) for block in opening.blocks):
                total += following - first
    return total


def _opens(opening: Opening, piece: Ports) -> bool:
    return any(
        (port.protocol, port.name) == (piece.protocol, piece.name) and port.first <= piece.first <= port.last
        for port in opening.ports
    )
