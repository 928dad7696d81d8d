"""Which tests stay together on one worker, and which begin first.

Tests that share a cluster or servers stay together; all others spread. What takes longest begins first, so that no
worker is alone at the end.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

import pytest

# The groups with a cluster of their own, in the order in which workers take them. The first worker brings up the whole
# system while the others go on.
_CLUSTERS: Final = {"test_cluster_lifecycle": 1, "test_network_policies": 3}
_SERVERS: Final = ("tests/services", "tests/environment/servers")
_LAST_OF_SYSTEM: Final = "test_system_teardown"


def group_of(item: pytest.Item) -> str | None:
    """The group of a test: the system's, its module's where it has servers or a cluster, or none."""
    path = PurePath(item.location[0])
    if "system" in getattr(item, "fixturenames", ()):
        return "system"
    if path.stem in _CLUSTERS or str(path.parent) in _SERVERS:
        return path.stem
    return None


def rank_of(item: pytest.Item, group: str | None) -> tuple[int, int]:
    """Where a test stands: groups by their time, then what spreads."""
    if group == "system":
        return 0, PurePath(item.location[0]).stem == _LAST_OF_SYSTEM
    if group is None:
        return 4, 0
    return _CLUSTERS.get(group, 2), 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = {item: group_of(item) for item in items}
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
