"""What both stacks promise about the datastores."""

from __future__ import annotations

from runbook.units import to_bytes
from tests.program import look
from tests.program.engine import Registered


def test_redis_leaves_room_for_a_fork_below_its_limit(stack: list[Registered]) -> None:
    conf = look.named(stack, "ConfigMap", "redis-config")["data"]["redis.conf"]
    maxmemory = int(next(line.split()[1] for line in conf.splitlines() if line.startswith("maxmemory ")))
    container = look.named(stack, "StatefulSet", "redis")["spec"]["template"]["spec"]["containers"][0]
    assert maxmemory <= 0.75 * to_bytes(container["resources"]["limits"]["memory"])
    assert "maxmemory-policy allkeys-lru" in conf


def test_postgres_logs_slow_statements_and_never_all(stack: list[Registered]) -> None:
    conf = look.named(stack, "ConfigMap", "postgres-config")["data"]["postgresql.conf"]
    assert "log_min_duration_statement = 500ms" in conf
    assert "log_statement" not in conf


def test_pgbouncer_fits_into_postgres_connections(stack: list[Registered]) -> None:
    deployment = look.named(stack, "Deployment", "pgbouncer")["spec"]
    ini = look.named(stack, "ConfigMap", "pgbouncer-config")["data"]["pgbouncer.ini"]
    pool = int(next(line.split("=")[1] for line in ini.splitlines() if line.startswith("max_db_connections")))
    conf = look.named(stack, "ConfigMap", "postgres-config")["data"]["postgresql.conf"]
    limit = int(next(line.split("=")[1] for line in conf.splitlines() if line.startswith("max_connections")))
    # One more pod exists while a rollout replaces another.
    assert (deployment["replicas"] + 1) * pool <= limit


def test_each_pod_of_a_datastore_has_a_declared_claim_by_the_name_its_controller_looks_for(
    stack: list[Registered],
) -> None:
    sets = look.of(stack, "StatefulSet")
    assert len(sets) == 3
    expected = {
        f"{template['metadata']['name']}-{item.inputs['metadata']['name']}-{ordinal}": template["spec"]
        for item in sets
        for template in item.inputs["spec"]["volumeClaimTemplates"]
        for ordinal in range(int(item.inputs["spec"]["replicas"]))
    }
    claims = {item.inputs["metadata"]["name"]: item for item in look.of(stack, "PersistentVolumeClaim")}
    assert {name: item.inputs["spec"] for name, item in claims.items()} == expected
    assert all(item.retain_on_delete for item in claims.values())


def test_a_larger_volume_asks_for_no_replacement_of_the_stateful_set(stack: list[Registered]) -> None:
    sets = look.of(stack, "StatefulSet")
    assert sets
    for item in sets:
        assert item.ignored == ("spec.volumeClaimTemplates[0].spec.resources.requests.storage",)
