"""What a stack declares for a Kafka that somebody else runs and that wants a login: files that pods mount."""

from __future__ import annotations

from typing import Any

import pytest

from runbook import datastores, jobs, services, settings
from runbook.jobs import Need
from runbook.ops_paths import CONFIG_FILE
from runbook.ops_settings import OpsSettings
from tests.program import engine, look
from tests.program.engine import Registered
from tests.program.settings import stack_values

_EXTERNAL = {
    "bootstrap": ["b-1.example.com:9096", "b-2.example.com:9096"],
    "user": "crypto",
    "secret": "kafka-login",
    "caSecret": "kafka-authority",
}
_SECRETS = {"kafka-login": "password", "kafka-authority": "ca.crt"}


def _stack(name: str, external: dict[str, Any]) -> list[Registered]:
    return engine.registered(settings.load({**stack_values("prod"), "kafka": {"external": external}}), name)


@pytest.fixture(scope="module")
def outside() -> list[Registered]:
    return _stack("kafka-login", _EXTERNAL)


def _files(pod: dict[str, Any]) -> dict[str, str]:
    """Where the pod's container sees the Secrets of Kafka: Secret -> folder."""
    volumes = {item["name"]: item["secret"]["secretName"] for item in pod["volumes"] if "secret" in item}
    mounts = {item["name"]: item["mountPath"] for item in pod["containers"][0]["volumeMounts"]}
    return {secret: mounts[name] for name, secret in volumes.items() if secret in _SECRETS}


def _variables(data: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in data.items() if name.startswith("KAFKA_")}


def test_a_service_that_uses_kafka_finds_login_and_authority_and_no_other_does(outside: list[Registered]) -> None:
    shared = _variables(look.named(outside, "ConfigMap", "app-config")["data"])
    assert (shared["KAFKA_SECURITY_PROTOCOL"], shared["KAFKA_SASL_MECHANISM"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert shared["KAFKA_USER"] == "crypto"
    using = [spec for spec in services.ALL if datastores.KAFKA in spec.uses]
    assert 0 < len(using) < len(services.ALL)
    for spec in services.ALL:
        pod = look.named(outside, "Deployment", spec.name)["spec"]["template"]["spec"]
        own = _variables({item["name"]: item["value"] for item in pod["containers"][0]["env"]})
        folders = _files(pod)
        if spec not in using:
            assert (folders, own) == ({}, {})
            continue
        assert own == {
            "KAFKA_PASSWORD_FILE": f"{folders['kafka-login']}/password",
            "KAFKA_CA_FILE": f"{folders['kafka-authority']}/ca.crt",
        }


def test_the_exporter_has_its_password_in_a_file_of_arguments(outside: list[Registered]) -> None:
    pod = look.named(outside, "Deployment", "kafka-exporter")["spec"]["template"]["spec"]
    folders = _files(pod)
    assert pod["containers"][0]["args"] == [
        "--kafka.server=b-1.example.com:9096",
        "--kafka.server=b-2.example.com:9096",
        "--tls.enabled",
        f"--tls.ca-file={folders['kafka-authority']}/ca.crt",
        "--sasl.enabled",
        "--sasl.mechanism=scram-sha512",
        "--sasl.username=crypto",
        f"@{folders['kafka-login']}/exporter.args",
    ]


@pytest.mark.parametrize("job", jobs.ALL, ids=lambda job: job.name)
def test_a_job_that_needs_kafka_mounts_what_its_settings_name_and_no_other_does(
    outside: list[Registered], job: jobs.Job
) -> None:
    text = look.named(outside, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    target = OpsSettings.model_validate_json(text).kafka
    assert target.login
    assert (target.login.user, target.protocol, target.mechanism) == ("crypto", "SASL_SSL", "SCRAM-SHA-512")
    pod = look.named(outside, "CronJob", job.name)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    named = {f"{folder}/{_SECRETS[secret]}" for secret, folder in _files(pod).items()}
    assert named == ({target.login.password_file, target.ca_file} if Need.KAFKA in job.needs else set())


def test_a_kafka_outside_without_login_and_authority_mounts_nothing() -> None:
    stack = _stack("kafka-alone", {"bootstrap": ["b-1.example.com:9094"]})
    shared = _variables(look.named(stack, "ConfigMap", "app-config")["data"])
    assert shared["KAFKA_SECURITY_PROTOCOL"] == "SSL"
    assert not shared.keys() & {"KAFKA_USER", "KAFKA_SASL_MECHANISM"}
    pod = look.named(stack, "Deployment", "kafka-exporter")["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == ["--kafka.server=b-1.example.com:9094", "--tls.enabled"]
    assert _files(pod) == {}
