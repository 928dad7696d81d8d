"""Spreads the tests over the workers.

Tests that share a cluster or servers are a group and stay on one worker; all others spread. The longest groups begin
first, so that no worker is alone at the end.
"""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Final

import pytest

_SYSTEM: Final = "system"
# On many cores each of these gets a system of its own; on few, one more system costs more than it gives.
_APART: Final = {"test_system_incidents": "incidents", "test_system_teardown": "teardown"}
_MANY_WORKERS: Final = 6
# The order in which workers take the groups: the systems come up while everything else goes on.
_RANKS: Final = {_SYSTEM: 0, "incidents": 1, "teardown": 2, "test_cluster_lifecycle": 3, "test_network_policies": 5}
_OF_A_MODULE: Final = 4
_ALONE: Final = 6
_CLUSTERS: Final = ("test_cluster_lifecycle", "test_network_policies")
_SERVERS: Final = ("tests/services", "tests/environment/servers")


def group_of(item: pytest.Item, workers: int) -> str | None:
    """The group of a test: a system's, its module's where it has servers or a cluster, or none."""
    path = PurePath(item.location[0])
    if "system" in getattr(item, "fixturenames", ()):
        return _APART.get(path.stem, _SYSTEM) if workers >= _MANY_WORKERS else _SYSTEM
    if path.stem in _CLUSTERS or str(path.parent) in _SERVERS:
        return path.stem
    return None


def rank_of(item: pytest.Item, group: str | None) -> tuple[int, int]:
    """Where a test stands: groups by their length, then single tests. The teardown ends its system and stands last."""
    if group is None:
        return _ALONE, 0
    order = ["", *_APART]
    stem = PurePath(item.location[0]).stem
    return _RANKS.get(group, _OF_A_MODULE), order.index(stem if stem in _APART else "")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    groups = {item: group_of(item, workers) for item in items}
    for item, group in groups.items():
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: rank_of(item, groups[item]))


def pytest_collection_finish(session: pytest.Session) -> None:
    """xdist writes a group behind a test's name: where it could not, groups would be torn apart."""
    if hasattr(session.config, "workerinput"):
        torn = [item for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
        if torn:
            raise pytest.UsageError(f"xdist tears the group of {torn[0].nodeid} apart: choose another pytest")
