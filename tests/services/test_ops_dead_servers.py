"""Every command that only looks or tidies up, against servers that are gone, silent, hanging up or refusing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.services import ops_environment
from tests.services.dead_servers import FAULTS, dead
from tests.services.ops_environment import AWS_SECRET, PASSWORDS, Environment

pytestmark = pytest.mark.timeout(120)

_TOKEN = "fake-T0ken-Geheim"
_DEADLINE = 4.0
# What the start of the program and its end may take on a busy machine.
_MARGIN = 6.0
_PROTOCOLS = {
    "PostgreSQL": "postgres",
    "Redis": "redis",
    "Kafka": "kafka",
    "Prometheus": "http",
    "Kubernetes": "http",
    "S3": "http",
    "Service": "http",
}
_COMMANDS = [
    ("PostgreSQL", "db", "slow"),
    ("PostgreSQL", "db", "connections"),
    ("PostgreSQL", "db", "reap-idle"),
    ("PostgreSQL", "db", "reap-idle", "--dry-run"),
    ("PostgreSQL", "db", "maintain"),
    ("Redis", "redis", "bigkeys"),
    ("Redis", "redis", "purge", "price:*:old"),
    ("Kafka", "kafka", "lag"),
    ("Kafka", "kafka", "topics"),
    ("Kafka", "kafka", "partitions", "price_updates", "24"),
    ("Prometheus", "slo"),
    ("s3://", "logs"),
]


@pytest.fixture(params=FAULTS)
def dark(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Environment]:
    """Settings in which every server has the same fault."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(dead(request.param, kind)) for name, kind in _PROTOCOLS.items()}
        environment = ops_environment.without_servers(tmp_path)
        for name, password in PASSWORDS.items():
            (tmp_path / name).write_text(password)
        (tmp_path / "credentials").write_text(
            f"[default]\naws_access_key_id = test\naws_secret_access_key = {AWS_SECRET}\n"
        )
        _kubeconfig(tmp_path, ports["Kubernetes"])
        kafka, backup = environment.settings["kafka"], environment.settings["backup"]
        environment.configure(
            postgres={**environment.settings["postgres"], "port": ports["PostgreSQL"]},
            redis={"host": "127.0.0.1", "port": ports["Redis"]},
            kafka={**kafka, "bootstrap": f"127.0.0.1:{ports['Kafka']}"},
            prometheus={"url": f"http://127.0.0.1:{ports['Prometheus']}"},
            services=[{"name": "user-service", "healthUrl": f"http://127.0.0.1:{ports['Service']}/health"}],
            backup={**backup, "endpoint": f"http://127.0.0.1:{ports['S3']}"},
        )
        yield environment


def _kubeconfig(folder: Path, port: int) -> None:
    config = {
        "current-context": "fake",
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "fake", "user": {"token": _TOKEN}}],
    }
    (folder / ".kube").mkdir()
    (folder / ".kube" / "config").write_text(json.dumps(config))


def _assert_discreet(text: str) -> None:
    assert "Traceback" not in text
    for secret in (*PASSWORDS.values(), AWS_SECRET, _TOKEN):
        assert secret not in text


@pytest.mark.parametrize("command", _COMMANDS, ids=lambda command: " ".join(command[1:]))
def test_a_server_that_is_not_there_is_temporary_within_the_deadline_and_told_in_one_line(
    dark: Environment, command: tuple[str, ...]
) -> None:
    server, *arguments = command
    start = time.monotonic()
    answer = dark.ops(*arguments, "--json", "--deadline", f"{_DEADLINE:g}")

    assert time.monotonic() - start < _DEADLINE + _MARGIN
    assert answer.code == 75, answer.stderr
    assert answer.error.startswith("ops ")
    assert server in answer.error or "the deadline of 4 s has passed" in answer.error
    assert [line for line in answer.stderr.splitlines() if line.startswith("ops")] == [answer.error]
    assert answer.json["error"]
    _assert_discreet(answer.stdout + answer.stderr)


def test_diagnosis_gathers_what_it_can_and_names_what_it_could_not(dark: Environment, tmp_path: Path) -> None:
    start = time.monotonic()
    answer = dark.ops(
        "diagnose", "--json", "--timeout", "8", "--deadline", "30", "--output", str(tmp_path / "bundle.tar.gz")
    )

    assert time.monotonic() - start < 30 + _MARGIN
    assert answer.code == 0, answer.stderr
    assert (tmp_path / "bundle.tar.gz").stat().st_size > 0
    assert "pods and their logs" in json.dumps(answer.json)
    _assert_discreet(answer.stdout + answer.stderr)


def test_health_names_everything_that_is_not_there_and_keeps_the_deadline_of_a_check(dark: Environment) -> None:
    start = time.monotonic()
    answer = dark.ops("health", "--json", "--no-notify", "--timeout", "2")

    assert time.monotonic() - start < 2 + _MARGIN
    assert answer.code == 1
    checks: list[dict[str, Any]] = answer.json["checks"]
    bad = {check["name"] for check in checks if check["status"] in ("fail", "unknown")}
    assert bad >= {"postgres", "redis", "kafka", "service user-service"}
    assert not [check for check in checks if check["status"] == "ok"]
    _assert_discreet(answer.stdout + answer.stderr)
