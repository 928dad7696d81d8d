"""What the program renders for a Redis of somebody else opens a real one that takes TLS and an ACL user alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from local.sample_service.cache import Cache
from local.sample_service.config import load_config
from runbook import settings
from runbook.ops_paths import CONFIG_FILE
from tests.program import engine, look
from tests.program.settings import stack_values
from tests.services import ops_environment, servers
from tests.services.outside import Outside

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed")
_PASSWORD = "correct hörse battery"
_SECRETS = ("redis-login", "cache-ca")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("secrets")
    for secret in _SECRETS:
        (folder / secret).mkdir()
    (folder / "redis-login" / "password").write_text(f"{_PASSWORD}\n")
    with servers.encrypted_redis(folder) as (server, port, authority):
        shutil.copy(authority, folder / "cache-ca" / "ca.crt")
        client: Any = redis.Redis(server.host, server.port)
        client.acl_setuser("crypto", enabled=True, passwords=[f"+{_PASSWORD}"], categories=["+@all"], keys=["*"])
        client.set("price:1", "x" * 1000)
        client.config_set("requirepass", "of the default user")
        external = {"host": server.host, "port": port, "user": "crypto", "secret": _SECRETS[0], "caSecret": _SECRETS[1]}
        chosen = settings.load({**stack_values("prod"), "redis": {"external": external}})
        yield Outside(engine.registered(chosen, "outside"), folder)


def test_ops_logs_in_with_the_settings_and_the_secrets_of_its_job(outside: Outside, tmp_path: Path) -> None:
    pod = look.named(outside.stack, "CronJob", "backup-redis")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    text = look.named(outside.stack, "ConfigMap", "ops-config")["data"][CONFIG_FILE]
    environment = ops_environment.without_servers(tmp_path)
    environment.config.write_text(outside.mounted(pod, text))

    answer = environment.ops("redis", "bigkeys", "--json")

    assert answer.code == 0, answer.stderr
    assert answer.json["keys"] == 1


def test_a_service_logs_in_with_its_variables_and_its_secrets(outside: Outside) -> None:
    pod = look.named(outside.stack, "Deployment", "analytics")["spec"]["template"]["spec"]
    shared = look.named(outside.stack, "ConfigMap", "app-config")["data"]
    own = {item["name"]: outside.mounted(pod, item["value"]) for item in pod["containers"][0]["env"]}
    cache = Cache(load_config({**shared, **own}).redis)

    assert list(cache.get_many(["price:1", "price:2"])) == ["price:1"]

    cache.close()
