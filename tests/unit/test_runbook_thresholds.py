"""The runbook's numbers, each against the runbook's own words."""

from __future__ import annotations

import re

import pytest

from runbook import datastores, pool, schedules, services, thresholds
from runbook.sections import Section


@pytest.mark.parametrize(
    ("threshold", "value"),
    [
        (thresholds.API_ERROR_RATIO, 0.01),
        (thresholds.SLO_ERROR_RATIO, 0.005),
        (thresholds.LATENCY_P95, 0.2),
        (thresholds.DISK_USAGE_RATIO, 0.8),
        (thresholds.NODE_CPU_RATIO, 0.8),
        (thresholds.NODE_MEMORY_RATIO, 0.8),
        (thresholds.REDIS_MEMORY_RATIO, 0.8),
        (thresholds.KAFKA_LAG, 10_000),
        (thresholds.SERVICE_MEMORY, 10**9),
        (thresholds.SENTIMENT_MEMORY_REQUEST, 4 * 1024**3),
        (thresholds.SENTIMENT_MEMORY_LIMIT, 8 * 1024**3),
        (thresholds.IDLE_CONNECTION_AGE, 1800),
        (thresholds.MAX_CONNECTIONS_LOW, 200),
        (thresholds.MAX_CONNECTIONS_HIGH, 300),
        (thresholds.POOL_SIZE, 30),
        (thresholds.POOL_OVERFLOW, 50),
        (thresholds.POOL_TIMEOUT, 10),
        (thresholds.POOL_RECYCLE, 3600),
        (thresholds.SLOW_QUERY, 500),
        (thresholds.BACKUP_RETENTION, 30),
        (thresholds.KAFKA_PARTITIONS, 24),
        (thresholds.INCIDENT_UPDATE, 900),
        (thresholds.INCIDENT_RCA, 86_400),
    ],
    ids=lambda value: value.name if isinstance(value, thresholds.Threshold) else str(value),
)
def test_a_threshold_is_the_runbooks_number(threshold: thresholds.Threshold, value: float) -> None:
    assert threshold.value == value
    assert thresholds.by_name(threshold.name) is threshold


def test_every_threshold_is_named_once_and_checked_above() -> None:
    names = [threshold.name for threshold in thresholds.ALL]
    assert len(names) == len(set(names)) == 23


def test_section_anchors_are_unique_and_stable() -> None:
    anchors = [section.anchor for section in Section]
    assert len(anchors) == len(set(anchors)) > 25
    assert Section.SENTIMENT_MODEL.link == "docs/runbook.md#section-3-5"


@pytest.mark.parametrize(("name", "normal", "peak"), [("api-gateway", 3, 10), ("analytics", 3, 8), ("sentiment", 2, 5)])
def test_replicas_are_those_of_the_peak_hours(name: str, normal: int, peak: int) -> None:
    assert services.BY_NAME[name].replicas == services.ReplicaRange(normal, peak)


@pytest.mark.parametrize(
    ("name", "url", "health"),
    [
        ("api-gateway", "http://api-gateway:8000", "/api/health"),
        ("user-service", "http://user-service:8001", "/health"),
        ("market-data-service", "http://market-data-service:8002", "/health"),
        ("analytics", "http://analytics-service:8003", "/health"),
        ("sentiment", "http://sentiment-service:8004", "/health"),
    ],
)
def test_services_listen_where_the_runbook_calls_them(name: str, url: str, health: str) -> None:
    assert (services.BY_NAME[name].url, services.BY_NAME[name].health_path) == (url, health)


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


def test_no_schedule_restricts_both_day_of_month_and_weekday() -> None:
    assert schedules.ALL
    for schedule in schedules.ALL:
        fields = schedule.cron.split()
        assert len(fields) == 5
        assert "*" in (fields[2], fields[4]), f"{schedule.name}: cron would join {fields[2]} and {fields[4]} with OR"
        assert re.fullmatch(r"[a-z-]+", schedule.name)


def test_no_two_datastores_share_a_port() -> None:
    stores = [datastores.POSTGRES, datastores.PGBOUNCER, datastores.REDIS, datastores.KAFKA]
    assert len({store.port for store in stores}) == len(stores)
