"""Instances: names, slots, folders and subnets."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.paths import MAX_SLOT, Instance, InstanceError

slots = st.integers(0, MAX_SLOT)


def instance(slot: int = 0, name: str = "crypto") -> Instance:
    return Instance(name, slot, Path("/state") / name, Path("/cache"))


def test_without_settings_the_instance_is_crypto_in_slot_0() -> None:
    found = Instance.from_environment({"HOME": "/home/someone"})
    assert (found.name, found.slot) == ("crypto", 0)
    assert found.state_dir == Path("/home/someone/.local/state/crypto-operations/crypto")
    assert found.cache_dir == Path("/home/someone/.cache/crypto-operations")


def test_xdg_folders_are_honoured_and_relative_ones_ignored() -> None:
    environment = {"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "relative", "CRYPTO_INSTANCE": "blue"}
    found = Instance.from_environment(environment)
    assert found.state_dir == Path("/s/crypto-operations/blue")
    assert found.cache_dir == Path("/h/.cache/crypto-operations")


@pytest.mark.parametrize("name", ["Blue", "-blue", "blue-", "blue/..", "bl ue", "1blue", "b" * 31, "blüe", "blue\n"])
def test_a_bad_name_is_refused_in_one_line_that_shows_it(name: str) -> None:
    with pytest.raises(InstanceError) as caught:
        Instance.from_environment({"CRYPTO_INSTANCE": name})
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("slot", ["256", "-1", "1.5", "one", "0x1", " 1", "1000", "²"])
def test_a_bad_slot_is_refused_in_one_line_that_says_what_is_allowed(slot: str) -> None:
    with pytest.raises(InstanceError, match="from 0 to 255") as caught:
        Instance.from_environment({"CRYPTO_SLOT": slot})
    assert "\n" not in str(caught.value)


@given(slots)
def test_every_address_lies_in_its_subnet(slot: int) -> None:
    found = instance(slot)
    assert {found.host_address, found.node_address} <= set(found.node_subnet.hosts())
    assert found.host_address != found.node_address
    assert str(found.kubernetes_address) == f"10.96.{slot}.1"
    assert found.aws_url == f"http://10.231.{slot}.2:4566"
    assert found.api_url == f"https://10.231.{slot}.2:6443"


@given(slots, slots)
def test_no_two_subnets_overlap_within_a_slot_or_between_slots(one: int, other: int) -> None:
    nets = {
        net
        for slot in (one, other)
        for net in (instance(slot).node_subnet, instance(slot).pod_subnet, instance(slot).service_subnet)
    }
    assert len(nets) == (3 if one == other else 6)
    assert not any(a.overlaps(b) for a, b in combinations(nets, 2))
