"""The host's side of the node's network: a veth pair, and routes to pods and Services that vanish with it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, cast

from local.cluster.errors import ClusterError
from local.paths import Instance

NODE_INTERFACE = "eth0"


@dataclass(frozen=True)
class Route:
    """A route of the host: its destination and the interface it leaves through."""

    destination: IPv4Network
    interface: str


def interface_name(instance: Instance) -> str:
    """Name of the host's side of the veth pair (at most 15 characters; unique per instance name)."""
    return f"cry{instance.slot}-{_digest(instance.name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def interfaces_of(instance_name: str) -> list[str]:
    """The host's interfaces that belong to this instance, whatever slot they were made for."""
    pattern = re.compile(rf"cry[0-9]{{1,3}}-{_digest(instance_name)}")
    return [name for name in _link_names() if pattern.fullmatch(name)]


def conflict(instance: Instance, routes: Iterable[Route]) -> str | None:
    """One line that names the host's route which overlaps a subnet of the instance, or None."""
    own = interface_name(instance)
    wanted = (
        ("node", instance.node_subnet),
        ("pod", instance.pod_subnet),
        ("service", instance.service_subnet),
    )
    for route in routes:
        if route.interface == own or route.destination.prefixlen == 0:
            continue
        for use, subnet in wanted:
            if subnet.overlaps(route.destination):
                return (
                    f"the {use} subnet {subnet} of slot {instance.slot} overlaps this machine's route "
                    f"{route.destination} ({route.interface}): set CRYPTO_SLOT to another number from 0 to 255"
                )
    return None


def host_routes() -> list[Route]:
    """The host's IPv4 routes of its main table."""
    return parse_routes(_ip("-json", "-4", "route", "show"))


def parse_routes(text: str) -> list[Route]:
    """Routes from the output of `ip -json route show`."""
    found = cast("list[dict[str, Any]]", json.loads(text or "[]"))
    routes: list[Route] = []
    for entry in found:
        destination = "0.0.0.0/0" if entry["dst"] == "default" else str(entry["dst"])
        routes.append(Route(IPv4Network(destination, strict=False), str(entry.get("dev", entry.get("type", "?")))))
    return routes


def connect(instance: Instance, node_pid: int) -> None:
    """Make the veth pair into the network namespace of `node_pid`, with the host's address and routes."""
    name = interface_name(instance)
    _ip("link", "add", name, "type", "veth", "peer", "name", NODE_INTERFACE, "netns", str(node_pid))
    _ip("address", "add", f"{instance.host_address}/{instance.node_subnet.prefixlen}", "dev", name)
    _ip("link", "set", name, "alias", f"crypto-operations {instance.name}")
    _ip("link", "set", name, "up")
    for subnet in (instance.pod_subnet, instance.service_subnet):
        _ip("route", "add", str(subnet), "via", str(instance.node_address), "dev", name)


def disconnect(instance_name: str) -> None:
    """Remove the host's side of the veth pair, and its routes with it; harmless where there is none."""
    for name in interfaces_of(instance_name):
        # The kernel may be removing it at this moment, with the network namespace of its peer.
        subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)


def _link_names() -> list[str]:
    return [
        str(link["ifname"]) for link in cast("list[dict[str, Any]]", json.loads(_ip("-json", "link", "show") or "[]"))
    ]


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"`ip {' '.join(arguments)}` failed: {' '.join(done.stderr.split())}")
    return done.stdout
