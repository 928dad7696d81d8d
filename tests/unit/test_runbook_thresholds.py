"""The runbook's numbers: each has one name, and what is made of them holds together."""

from __future__ import annotations

import pytest

from runbook import datastores, pool, services, thresholds
from runbook.sections import Section


def test_a_threshold_is_found_by_its_name() -> None:
    assert thresholds.ALL
    for threshold in thresholds.ALL:
        assert thresholds.by_name(threshold.name) is threshold


def test_section_anchors_are_unique_and_stable() -> None:
    anchors = [section.anchor for section in Section]
    assert len(anchors) == len(set(anchors)) > 25
    assert Section.SENTIMENT_MODEL.link == "docs/runbook.md#section-3-5"


@pytest.mark.parametrize(("normal", "peak"), [(0, 1), (3, 3), (4, 3)])
def test_a_replica_range_without_room_is_refused(normal: int, peak: int) -> None:
    with pytest.raises(ValueError, match=f"{normal}..{peak}"):
        services.ReplicaRange(normal, peak)


@pytest.mark.parametrize(("cores", "size"), [(1, 6), (4, 12), (13, 30), (64, 30)])
def test_pool_size_follows_the_cores_up_to_the_runbooks_pool(cores: int, size: int) -> None:
    assert pool.recommended_pool_size(cores) == size


def test_a_pool_without_cores_is_refused() -> None:
    with pytest.raises(ValueError, match="cpu_cores is 0"):
        pool.recommended_pool_size(0)


def test_no_two_datastores_share_a_port() -> None:
    stores = [datastores.POSTGRES, datastores.PGBOUNCER, datastores.REDIS, datastores.KAFKA]
    assert len({store.port for store in stores}) == len(stores)
