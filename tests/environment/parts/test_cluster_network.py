"""Routes and interfaces of the host."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from local.cluster import network
from local.cluster.network import Route
from local.paths import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("blue", 5, tmp_path / "blue", tmp_path)


def test_a_route_that_overlaps_a_subnet_is_named_with_the_way_out(instance: Instance) -> None:
    routes = [Route(IPv4Network("0.0.0.0/0"), "eth0"), Route(IPv4Network("10.244.0.0/16"), "cni0")]
    problem = network.conflict(instance, routes)
    assert problem is not None
    for word in ("10.244.5.0/24", "10.244.0.0/16", "cni0", "CRYPTO_SLOT"):
        assert word in problem


def test_routes_of_the_instance_itself_and_of_other_slots_are_no_conflict(instance: Instance) -> None:
    own = network.interface_name(instance)
    routes = [Route(instance.pod_subnet, own), Route(IPv4Network("10.244.6.0/24"), "cry6-000000")]
    assert network.conflict(instance, routes) is None


def test_routes_are_read_from_what_ip_prints() -> None:
    text = '[{"dst":"default","dev":"eth0"},{"dst":"10.1.0.0/16","dev":"br0"},{"dst":"10.9.9.9","dev":"wg0"}]'
    assert network.parse_routes(text) == [
        Route(IPv4Network("0.0.0.0/0"), "eth0"),
        Route(IPv4Network("10.1.0.0/16"), "br0"),
        Route(IPv4Network("10.9.9.9/32"), "wg0"),
    ]


def test_interface_names_fit_the_kernel_and_differ_between_instances(tmp_path: Path) -> None:
    names = {network.interface_name(Instance(name, 255, tmp_path, tmp_path)) for name in ("blue", "green", "b" * 30)}
    assert len(names) == 3
    assert all(len(name) <= 15 for name in names)
