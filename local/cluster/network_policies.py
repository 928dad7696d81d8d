"""What NetworkPolicies allow: from the objects of the API to the peers and ports that each pod may talk with.

Pure: no rule of a firewall, no I/O. The cluster has IPv4 only, so a block of IPv6 addresses matches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Literal, NamedTuple, cast

from scripts.clients.kubernetes import Object

Direction = Literal["Ingress", "Egress"]
LAST_PORT = 65535


class PortRange(NamedTuple):
    """Ports of one protocol ("TCP", "UDP" or "SCTP"), both ends included."""

    protocol: str
    first: int = 0
    last: int = LAST_PORT


class NamedPort(NamedTuple):
    """A port that a container declares under a name."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True)
class Pod:
    """What the policies' selectors see of a pod, and the address under which its traffic is known."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    address: IPv4Address
    ports: tuple[NamedPort, ...] = ()


@dataclass(frozen=True)
class Block:
    """All addresses of a network but those of the exceptions."""

    network: IPv4Network
    exceptions: tuple[IPv4Network, ...] = ()

    def __contains__(self, address: IPv4Address) -> bool:
        return address in self.network and not any(address in exception for exception in self.exceptions)


Peers = frozenset[IPv4Address] | Block


@dataclass(frozen=True)
class Allowed:
    """Connections that are let through: with these peers (None: with everybody) to these ports (None: all)."""

    peers: Peers | None
    ports: tuple[PortRange, ...] | None


@dataclass(frozen=True)
class PodRules:
    """A pod, and what it may do; None where no policy selects it for the direction, so that all is allowed."""

    pod: Pod
    ingress: tuple[Allowed, ...] | None
    egress: tuple[Allowed, ...] | None


def pod_of(item: Object, address: IPv4Address) -> Pod:
    """A pod of the API, with the address that it was given."""
    metadata, spec = cast("Object", item["metadata"]), cast("Object", item["spec"])
    # Of the init containers only those that go on running (sidecars) serve anybody.
    sidecars = [container for container in _list(spec, "initContainers") if container.get("restartPolicy") == "Always"]
    ports = tuple(
        NamedPort(port["name"], port.get("protocol", "TCP"), port["containerPort"])
        for container in [*sidecars, *_list(spec, "containers")]
        for port in _list(container, "ports")
        if port.get("name")
    )
    return Pod(metadata["namespace"], metadata["name"], metadata.get("labels") or {}, address, ports)


def _list(holder: Object, key: str) -> list[Object]:
    return cast("list[Object]", holder.get(key) or [])


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches; an empty one matches everything."""
    wanted = cast("dict[str, str]", selector.get("matchLabels") or {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(expression, labels) for expression in _list(selector, "matchExpressions"))


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), cast("list[str]", expression.get("values") or [])
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case unknown:
            raise ValueError(f"a selector has the unknown operator {unknown!r}")


def pod_rules(
    pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]], policies: Iterable[Object]
) -> list[PodRules]:
    """The rules of every pod. `namespaces` are labels by name; `policies` are objects of networking.k8s.io/v1."""
    compiler = _Compiler(pods, namespaces, list(policies))
    return [PodRules(pod, compiler.allowed(pod, "Ingress"), compiler.allowed(pod, "Egress")) for pod in pods]


def _applies(policy: Object, direction: Direction) -> bool:
    spec = cast("Object", policy["spec"])
    # The API's own default: egress is restricted only where a rule for it stands.
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return direction in types


class _Compiler:
    """Holds what every rule of one compilation refers to."""

    def __init__(
        self, pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]], policies: Sequence[Object]
    ) -> None:
        self._pods = pods
        self._namespaces = namespaces
        self._policies = policies

    def allowed(self, pod: Pod, direction: Direction) -> tuple[Allowed, ...] | None:
        policies = [
            policy
            for policy in self._policies
            if policy["metadata"]["namespace"] == pod.namespace
            and _applies(policy, direction)
            and selects(policy["spec"].get("podSelector") or {}, pod.labels)
        ]
        if not policies:
            return None
        return tuple(dict.fromkeys(allowed for policy in policies for allowed in self._of(policy, pod, direction)))

    def _of(self, policy: Object, pod: Pod, direction: Direction) -> Iterable[Allowed]:
        ingress = direction == "Ingress"
        for rule in _list(policy["spec"], "ingress" if ingress else "egress"):
            for peers in self._peers(_list(rule, "from" if ingress else "to"), pod.namespace):
                yield from self._with_ports(peers, _list(rule, "ports"), pod if ingress else None)

    def _peers(self, entries: Sequence[Object], namespace: str) -> list[Peers | None]:
        """Who is meant by the entries: all pods among them together, each block of its own."""
        if not entries:
            return [None]
        blocks = [block for entry in entries if "ipBlock" in entry and (block := _block(entry["ipBlock"]))]
        pods = frozenset(
            pod.address
            for pod in self._pods
            if any("ipBlock" not in entry and self._is_peer(pod, entry, namespace) for entry in entries)
        )
        return [*blocks, *([pods] if pods else [])]

    def _is_peer(self, pod: Pod, entry: Object, namespace: str) -> bool:
        of_namespaces = entry.get("namespaceSelector")
        if of_namespaces is None:
            in_namespace = pod.namespace == namespace
        else:
            in_namespace = selects(of_namespaces, self._namespaces.get(pod.namespace, {}))
        return in_namespace and selects(entry.get("podSelector") or {}, pod.labels)

    def _with_ports(self, peers: Peers | None, ports: Sequence[Object], target: Pod | None) -> Iterable[Allowed]:
        """`target` is the pod that is connected to; None for egress, where each peer is one."""
        if not ports:
            yield Allowed(peers, None)
            return
        named = [port for port in ports if isinstance(port.get("port"), str)]
        ranges = [_range(port) for port in ports if not isinstance(port.get("port"), str)]
        if target is not None:
            ranges += _resolved(named, target)
        yield Allowed(peers, merged(ranges))
        if target is None and named:
            for pod in self._pods:
                if (peers is None or pod.address in peers) and (found := _resolved(named, pod)):
                    yield Allowed(frozenset({pod.address}), merged(found))


def _block(entry: Object) -> Block | None:
    """The IPv4 block of an entry; None where it is one of IPv6."""
    network = ip_network(entry["cidr"], strict=False)
    exceptions = (ip_network(text, strict=False) for text in cast("list[str]", entry.get("except") or []))
    if not isinstance(network, IPv4Network):
        return None
    return Block(network, tuple(found for found in exceptions if isinstance(found, IPv4Network)))


def _range(port: Object) -> PortRange:
    protocol, first = port.get("protocol", "TCP"), port.get("port")
    return PortRange(protocol) if first is None else PortRange(protocol, first, port.get("endPort", first))


def _resolved(named: Iterable[Object], pod: Pod) -> list[PortRange]:
    """The numbers that the pod's containers give to the names; none where they know no such name."""
    return [
        PortRange(declared.protocol, declared.number, declared.number)
        for port in named
        for declared in pod.ports
        if declared.name == port["port"] and declared.protocol == port.get("protocol", "TCP")
    ]


def merged(ranges: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """The same ports in order, without overlaps: a set of a firewall has each port once."""
    found: list[PortRange] = []
    for current in sorted(ranges):
        last = found[-1] if found else None
        if last is not None and last.protocol == current.protocol and current.first <= last.last + 1:
            found[-1] = last._replace(last=max(last.last, current.last))
        else:
            found.append(current)
    return tuple(found)
