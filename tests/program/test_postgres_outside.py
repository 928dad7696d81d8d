"""What a stack declares for a PostgreSQL that somebody else runs: whose certificate each of its clients verifies."""

from __future__ import annotations

from typing import Any

import pytest

from runbook import database_roles, jobs, services, settings
from runbook.ops_paths import CONFIG_FILE
from runbook.ops_settings import OpsSettings
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import stack_values

_CA = "database-ca"


def _stack(name: str, **changes: Any) -> list[Registered]:
    external = {"host": "db.example.com", "port": 5432, **changes}
    return engine.registered(settings.load({**stack_values("prod"), "postgres": {"external": external}}), name)


@pytest.fixture(scope="module")
def outside() -> list[Registered]:
    return _stack("postgres-ca", caSecret=_CA)


def _authority(pod: dict[str, Any]) -> list[str]:
    """The file of the authority in the pod's container; empty where it mounts none."""
    volumes = [item["name"] for item in pod["volumes"] if item.get("secret", {}).get("secretName") == _CA]
    mounts = pod["containers"][0]["volumeMounts"]
    return [f"{item['mountPath']}/ca.crt" for item in mounts if item["name"] in volumes]


def _pod(stack: list[Registered], deployment: str) -> dict[str, Any]:
    return look.named(stack, "Deployment", deployment)["spec"]["template"]["spec"]


def _uri(stack: list[Registered]) -> str:
    variables = _pod(stack, "postgres-exporter")["containers"][0]["env"]
    return next(item["value"] for item in variables if item["name"] == "DATA_SOURCE_URI")


def test_pgbouncer_and_the_exporter_verify_by_the_authority_that_they_mount(outside: list[Registered]) -> None:
    ini = look.named(outside, "ConfigMap", "pgbouncer-config")["data"]["pgbouncer.ini"].splitlines()
    [mounted] = _authority(_pod(outside, "pgbouncer"))
    assert {"server_tls_sslmode = verify-full", f"server_tls_ca_file = {mounted}"} <= set(ini)
    [mounted] = _authority(_pod(outside, "postgres-exporter"))
    assert _uri(outside) == f"db.example.com:5432/crypto_db?sslmode=verify-full&sslrootcert={mounted}"


@pytest.mark.parametrize("job", jobs.ALL, ids=lambda job: job.name)
def test_a_job_that_needs_postgres_mounts_the_authority_that_its_settings_name_and_no_other_does(
    outside: list[Registered], job: jobs.Job
) -> None:
    text = look.named(outside, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    target = OpsSettings.model_validate_json(text).postgres
    assert target.tls
    pod = look.named(outside, "CronJob", job.name)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    needs = job.needs & jobs.OF_POSTGRES
    assert _authority(pod) == ([target.ca_file] if needs else [])


def test_the_migrations_mount_the_authority_and_verify_by_libpqs_own_variables() -> None:
    stack = engine.registered(
        settings.load(
            {
                **stack_values("prod"),
                "postgres": {
                    "external": {"host": "db.example.com", "port": 5432, "caSecret": _CA},
                    "migrations": {"service": "user-service"},
                },
            }
        ),
        "postgres-migrations",
    )
    pod = look.named(stack, "Job", database_roles.SETUP_JOB)["spec"]["template"]["spec"]
    [mounted] = _authority(pod)
    variables = {item["name"]: item["value"] for item in pod["containers"][0]["env"]}
    assert (variables["PGSSLMODE"], variables["PGSSLROOTCERT"]) == ("verify-full", mounted)


def test_a_service_asks_pgbouncer_and_mounts_no_authority(outside: list[Registered]) -> None:
    assert [spec.name for spec in services.ALL if _authority(_pod(outside, spec.name))] == []


@pytest.mark.parametrize(("changes", "mode"), [({}, "require"), ({"tls": False}, "disable")])
def test_without_an_authority_nothing_is_verified_and_none_is_mounted(changes: dict[str, Any], mode: str) -> None:
    stack = _stack(f"postgres-{mode}", **changes)
    assert _uri(stack) == f"db.example.com:5432/crypto_db?sslmode={mode}"
    ini = look.named(stack, "ConfigMap", "pgbouncer-config")["data"]["pgbouncer.ini"]
    assert ("server_tls_sslmode = require" in ini) is (mode == "require")
    target = OpsSettings.model_validate_json(look.named(stack, "ConfigMap", "ops-config")["data"][CONFIG_FILE]).postgres
    assert (target.tls, target.ca_file) == (mode == "require", None)
