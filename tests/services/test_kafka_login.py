"""What the program renders for a Kafka of somebody else opens a real one that takes TLS and SCRAM alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.sample_service import topic
from local.sample_service.config import load_config
from runbook import settings
from runbook.ops_paths import CONFIG_FILE
from tests.program import engine, look
from tests.program.settings import stack_values
from tests.services import ops_environment, servers, sinks
from tests.services.ops_environment import Answer, Environment
from tests.services.outside import Outside

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java is installed"),
]
_PASSWORD = "correct-horse-battery"
_SECRETS = ("kafka-login", "kafka-authority")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a broker, and the folder with the files of the Secrets that open it."""
    folder = tmp_path_factory.mktemp("secrets")
    for secret in _SECRETS:
        (folder / secret).mkdir()
    (folder / "kafka-login" / "password").write_text(f"{_PASSWORD}\n")
    with servers.encrypted_kafka(folder, "crypto", _PASSWORD) as (cluster, authority):
        shutil.copy(authority, folder / "kafka-authority" / "ca.crt")
        yield cluster.bootstrap, folder


@pytest.fixture(scope="module", params=["SCRAM-SHA-512", "SCRAM-SHA-256"])
def outside(request: pytest.FixtureRequest, broker: tuple[str, Path]) -> Outside:
    address, folder = broker
    external = {
        "bootstrap": [address],
        "user": "crypto",
        "secret": _SECRETS[0],
        "caSecret": _SECRETS[1],
        "mechanism": request.param,
    }
    chosen = settings.load({**stack_values("prod"), "kafka": {"external": external}})
    return Outside(engine.registered(chosen, "outside"), folder)


@pytest.fixture
def environment(outside: Outside, tmp_path: Path) -> Environment:
    pod = look.named(outside.stack, "CronJob", "health-check")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    text = look.named(outside.stack, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    made = ops_environment.without_servers(tmp_path)
    made.config.write_text(outside.mounted(pod, text))
    return made


def _with(environment: Environment, old: Path, new: Path) -> Answer:
    environment.config.write_text(environment.config.read_text().replace(str(old), str(new)))
    return environment.ops("kafka", "topics", "--json")


def test_ops_and_a_service_log_in_with_the_settings_and_the_secrets_of_their_pods(
    outside: Outside, environment: Environment
) -> None:
    pod = look.named(outside.stack, "Deployment", "analytics")["spec"]["template"]["spec"]
    shared = look.named(outside.stack, "ConfigMap", "app-config")["data"]
    own = {item["name"]: outside.mounted(pod, item["value"]) for item in pod["containers"][0]["env"]}
    topic.ensure_topic(load_config({**shared, **own, "KAFKA_PARTITIONS": "3"}))

    answer = environment.ops("kafka", "topics", "--json")

    assert answer.code == 0, answer.stderr
    assert [(found["name"], found["partitions"]) for found in answer.json["topics"]] == [("price_updates", 3)]


def test_a_wrong_password_is_a_mistake_that_names_the_login(
    outside: Outside, environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / "wrong").write_text("another-password")

    answer = _with(environment, outside.secrets / "kafka-login" / "password", tmp_path / "wrong")

    assert answer.code == 2
    assert "check kafka.login in the settings" in answer.error
    assert "another-password" not in answer.stderr + answer.stdout


def test_an_authority_that_has_not_signed_is_a_mistake_that_names_the_setting(
    outside: Outside, environment: Environment, tmp_path: Path
) -> None:
    answer = _with(environment, outside.secrets / "kafka-authority" / "ca.crt", sinks.certificate(tmp_path))

    assert answer.code == 2
    assert "check kafka.tls and kafka.caFile in the settings" in answer.error


def test_a_file_of_authorities_that_is_missing_is_named(
    outside: Outside, environment: Environment, tmp_path: Path
) -> None:
    answer = _with(environment, outside.secrets / "kafka-authority" / "ca.crt", tmp_path / "missing.crt")

    assert answer.code == 2
    assert "kafka.caFile" in answer.error
    assert "missing.crt" in answer.error
