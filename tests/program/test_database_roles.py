"""Which pod has which login of PostgreSQL: the services' own nothing, and the owner's is in one Job."""

from __future__ import annotations

from typing import Any

import pytest

from runbook import database_roles, jobs, services, settings
from runbook.jobs import Need
from runbook.ops_paths import CONFIG_FILE
from runbook.ops_settings import OpsSettings
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import stack_values

_SECRETS = {
    "postgres-superuser",
    "postgres-owner",
    "postgres-credentials",
    "postgres-maintenance",
    "postgres-reaper",
    "postgres-backup",
    "postgres-monitoring",
}
_EXTERNAL = {"host": "db.example.com", "port": 5432}


def _stack(name: str, **postgres: Any) -> list[Registered]:
    return engine.registered(settings.load({**stack_values("prod"), "postgres": postgres}), name)


def _setup(stack: list[Registered]) -> dict[str, Any]:
    return look.named(stack, "v1:Job", database_roles.SETUP_JOB)["spec"]["template"]["spec"]


def _mounted(pod: dict[str, Any], container: dict[str, Any]) -> set[str]:
    volumes = {item["name"]: item["secret"]["secretName"] for item in pod["volumes"] if "secret" in item}
    return {volumes[item["name"]] for item in container["volumeMounts"] if item["name"] in volumes}


def _holders(stack: list[Registered], secret: str) -> set[str]:
    """The pods that mount a Secret, by the resource's name."""
    return {
        name
        for name, pod in look.pods(stack)
        for volume in pod["volumes"]
        if volume.get("secret", {}).get("secretName") == secret
    }


def test_only_the_job_that_sets_up_has_the_owners_password(stack: list[Registered]) -> None:
    assert _holders(stack, "postgres-owner") == {"database-setup-job"}


def test_only_the_server_and_the_job_that_sets_up_have_the_superusers_password(stack: list[Registered]) -> None:
    assert _holders(stack, "postgres-superuser") == {"database-setup-job", "postgres-stateful-set"}


def test_the_server_has_no_password_but_the_superusers(stack: list[Registered]) -> None:
    pod = look.named(stack, "StatefulSet", "postgres")["spec"]["template"]["spec"]
    assert _mounted(pod, pod["containers"][0]) == {"postgres-superuser"}


def test_jobs_that_look_after_the_database_log_in_as_the_maintenance(stack: list[Registered]) -> None:
    looking = {f"{job.name}-cron-job" for job in jobs.ALL if Need.POSTGRES_MAINTENANCE in job.needs}
    assert looking
    assert _holders(stack, "postgres-maintenance") == {"database-setup-job", *looking}


def test_the_job_that_ends_idle_sessions_has_a_login_that_does_nothing_else(stack: list[Registered]) -> None:
    assert _holders(stack, "postgres-reaper") == {"database-setup-job", "connection-reaper-cron-job"}
    assert not {"connection-reaper-cron-job"} & _holders(stack, "postgres-maintenance")


def test_the_migrations_see_the_owners_password_alone_and_roles_are_made_before_them(stack: list[Registered]) -> None:
    pod = _setup(stack)
    (roles,), (migrations,) = pod["initContainers"], pod["containers"]
    assert roles["args"] == ["db", "roles", "--json"]
    assert _mounted(pod, roles) == _SECRETS
    assert _mounted(pod, migrations) == {"postgres-owner"}
    variables = {item["name"]: item["value"] for item in migrations["env"]}
    assert (variables["DATABASE_USER"], variables["DATABASE_HOST"]) == ("crypto_owner", "postgres")
    assert "env" not in roles
    assert pod["automountServiceAccountToken"] is False


def test_services_and_pgbouncer_wait_for_the_job_that_sets_up(stack: list[Registered]) -> None:
    waiting = {
        item.name: {urn.rsplit("::", 1)[-1] for urn in item.depends_on}
        for item in stack
        if item.name.endswith("-deployment")
    }
    for name in ("pgbouncer", *services.BY_NAME):
        assert "database-setup-job" in waiting[f"{name}-deployment"], name


def test_the_services_log_in_as_a_role_that_is_not_the_owner(stack: list[Registered]) -> None:
    assert look.named(stack, "ConfigMap", "app-config")["data"]["DATABASE_USER"] == "crypto_user"
    text = look.named(stack, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    target = OpsSettings.model_validate_json(text).postgres
    assert (target.owner.user, target.services.user) == ("crypto_owner", "crypto_user")


def test_the_names_of_the_settings_reach_everyone_who_logs_in() -> None:
    names = {"owner": "o", "services": "s", "maintenance": "m", "reaper": "r", "backup": "b", "monitoring": "w"}
    stack = _stack("roles", roles=names, migrations={}, external=_EXTERNAL)
    text = look.named(stack, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    target = OpsSettings.model_validate_json(text).postgres
    assert {role.key: target.login(role).user for role in database_roles.ALL} == names
    assert look.named(stack, "ConfigMap", "app-config")["data"]["DATABASE_USER"] == "s"
    exporter = look.named(stack, "Deployment", "postgres-exporter")["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "DATA_SOURCE_USER", "value": "w"} in exporter["env"]
    assert {"name": "DATABASE_USER", "value": "o"} in _setup(stack)["containers"][0]["env"]


def test_on_a_server_of_somebody_else_the_job_migrates_and_makes_no_role() -> None:
    pod = _setup(_stack("external-migrations", migrations={"args": ["up"]}, external=_EXTERNAL))
    (migrations,) = pod["containers"]
    assert "initContainers" not in pod
    assert migrations["args"] == ["up"]
    assert _mounted(pod, migrations) == {"postgres-owner"}
    assert {item["name"]: item["value"] for item in migrations["env"]}["DATABASE_HOST"] == "db.example.com"


def test_without_migrations_a_server_of_somebody_else_has_no_such_job_and_the_declared_one_makes_its_roles() -> None:
    outside = _stack("external", external=_EXTERNAL)
    assert [item.name for item in outside if "database-setup" in item.name] == []
    (roles,) = _setup(_stack("roles-alone"))["containers"]
    assert roles["args"] == ["db", "roles", "--json"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"roles": {"owner": "crypto_user"}}, "'crypto_user'"),
        ({"roles": {"owner": "pg_owner"}}, "pg_"),
        ({"roles": {"owner": 'a"b'}}, "owner"),
        ({"migrations": {"service": "nginx"}}, "api-gateway"),
    ],
)
def test_a_wrong_name_is_refused_with_what_is_allowed(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(settings.SettingsError) as raised:
        settings.load({**stack_values("prod"), "postgres": wrong})
    assert "crypto:postgres" in str(raised.value)
    assert said in str(raised.value)
