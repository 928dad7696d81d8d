"""What a stack declares for a Redis that somebody else runs and that wants a login: files that pods mount."""

from __future__ import annotations

from typing import Any

import pytest

from runbook import datastores, jobs, redis_users, services, settings
from runbook.jobs import Need
from runbook.ops_paths import CONFIG_FILE
from runbook.ops_settings import OpsSettings
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import stack_values

_EXTERNAL = {
    "host": "cache.example.com",
    "port": 6380,
    "user": "crypto",
    "secret": "redis-login",
    "caSecret": "cache-ca",
}
_KEYS = {"redis-login": "password", "cache-ca": "ca.crt"}


def _stack(name: str, **changes: Any) -> list[Registered]:
    return engine.registered(
        settings.load({**stack_values("prod"), "redis": {"external": {**_EXTERNAL, **changes}}}), name
    )


@pytest.fixture(scope="module")
def outside() -> list[Registered]:
    return _stack("redis-login")


def _files(pod: dict[str, Any]) -> dict[str, str]:
    """Where the pod's container sees the Secrets of Redis: Secret -> folder."""
    volumes = {item["name"]: item["secret"]["secretName"] for item in pod["volumes"] if "secret" in item}
    mounts = {item["name"]: item["mountPath"] for item in pod["containers"][0]["volumeMounts"]}
    return {secret: mounts[name] for name, secret in volumes.items() if secret in {"redis-login", "cache-ca"}}


def _variables(pod: dict[str, Any]) -> dict[str, str]:
    found = {item["name"]: item["value"] for item in pod["containers"][0].get("env", [])}
    return {name: value for name, value in found.items() if name.startswith("REDIS_")}


def test_a_service_that_uses_redis_finds_login_and_authority_and_no_other_does(outside: list[Registered]) -> None:
    assert look.named(outside, "ConfigMap", "app-config")["data"]["REDIS_USER"] == "crypto"
    using = [spec for spec in services.ALL if datastores.REDIS in spec.uses]
    assert 0 < len(using) < len(services.ALL)
    for spec in services.ALL:
        pod = look.named(outside, "Deployment", spec.name)["spec"]["template"]["spec"]
        if spec not in using:
            assert (_files(pod), _variables(pod)) == ({}, {})
            continue
        folders = _files(pod)
        assert _variables(pod) == {
            "REDIS_PASSWORD_FILE": f"{folders['redis-login']}/password",
            "REDIS_CA_FILE": f"{folders['cache-ca']}/ca.crt",
        }


def test_the_exporter_logs_in_by_a_file_of_its_own_format(outside: list[Registered]) -> None:
    pod = look.named(outside, "Deployment", "redis-exporter")["spec"]["template"]["spec"]
    folders = _files(pod)
    assert _variables(pod) == {
        "REDIS_ADDR": "rediss://cache.example.com:6380",
        "REDIS_USER": "crypto",
        "REDIS_PASSWORD_FILE": f"{folders['redis-login']}/exporter.json",
        "REDIS_EXPORTER_TLS_CA_CERT_FILE": f"{folders['cache-ca']}/ca.crt",
    }
    assert "args" not in pod["containers"][0]


@pytest.mark.parametrize("job", jobs.ALL, ids=lambda job: job.name)
def test_a_job_that_needs_redis_mounts_what_its_settings_name_and_no_other_does(
    outside: list[Registered], job: jobs.Job
) -> None:
    text = look.named(outside, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    target = OpsSettings.model_validate_json(text).redis
    assert target.login
    assert (target.login.user, target.tls) == ("crypto", True)
    pod = look.named(outside, "CronJob", job.name)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    named = {f"{folder}/{key}" for secret, folder in _files(pod).items() for key in (_KEYS[secret],)}
    assert named == ({target.login.password_file, target.ca_file} if Need.REDIS in job.needs else set())


def test_login_and_authority_can_each_be_left_out_and_be_in_one_secret() -> None:
    alone = settings.load({**stack_values("prod"), "redis": {"external": {"host": "cache", "port": 1}}})
    assert [redis_users.client_secrets(alone, user) for user in redis_users.ALL] == [{}] * len(redis_users.ALL)
    default = _stack("redis-default", user="default", caSecret="redis-login")
    text = look.named(default, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    target = OpsSettings.model_validate_json(text).redis
    assert target.login
    assert target.login.user == "default"
    pod = look.named(default, "CronJob", "backup-redis")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    names = [volume["name"] for volume in pod["volumes"]]
    assert len(names) == len(set(names))
    assert {target.login.password_file, target.ca_file} == {
        f"{folder}/{key}" for folder in _files(pod).values() for key in ("password", "ca.crt")
    }


def test_each_client_of_the_declared_redis_mounts_the_password_of_its_own_user_alone(stack: list[Registered]) -> None:
    holders = {
        user.key: {
            name
            for name, pod in look.pods(stack)
            for volume in pod["volumes"]
            if volume.get("secret", {}).get("secretName") == f"redis-{user.key}"
        }
        - {"redis-stateful-set"}
        for user in redis_users.ALL
    }
    assert holders == {
        "services": {f"{spec.name}-deployment" for spec in services.ALL if datastores.REDIS in spec.uses},
        "backup": {f"{job.name}-cron-job" for job in jobs.ALL if Need.REDIS in job.needs},
        "operator": set(),
        "monitoring": {"redis-exporter-deployment"},
    }


def test_redis_itself_mounts_the_file_of_users_and_no_password(stack: list[Registered]) -> None:
    pod = look.named(stack, "StatefulSet", "redis")["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in pod["volumes"] if "secret" in volume}
    (writer,), (server,) = pod["initContainers"], pod["containers"]
    assert volumes == {user.key for user in redis_users.ALL}
    assert volumes < {mount["name"] for mount in writer["volumeMounts"]}
    assert not volumes & {mount["name"] for mount in server["volumeMounts"]}
    assert "users" in {mount["name"] for mount in server["volumeMounts"]}
