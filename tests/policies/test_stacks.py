"""Both of this project's stacks pass, with no rule loosened and nothing waived."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policies.catalogue import ALL
from policies.model import Resource
from policies.plain import to_plain
from runbook import settings
from tests.policies.running import judge
from tests.program import engine
from tests.program.settings import stack_values

_CONFIG = Path(__file__).resolve().parents[2] / "policies" / "config"
# What is asked for in production alone, or has no resource in a stack without an object lock.
_IDLE = {
    "local": {"object-lock-within-retention", "backups-locked", "backups-encrypted", "stateful-protected"},
    "prod": set[str](),
}


def _resources(stack: str) -> list[Resource]:
    return _plain(engine.declared(stack))


def _plain(registered: list[engine.Registered]) -> list[Resource]:
    return [_resource(each, registered) for each in registered if each.custom]


def _resource(each: engine.Registered, registered: list[engine.Registered]) -> Resource:
    properties = to_plain(each.inputs)
    assert isinstance(properties, dict)
    # The mocks give a bucket its resource's name as its identifier, and what names a bucket was computed from it.
    buckets = {f"{other.name}-id": _urn(other) for other in registered if other.token.endswith(":Bucket")}
    bucket = properties.get("bucket")
    links = {"bucket": (buckets[bucket],)} if isinstance(bucket, str) and bucket in buckets else {}
    return Resource(each.token, each.name, _urn(each), properties, each.protect, links)


def _urn(each: engine.Registered) -> str:
    return f"{each.token}::{each.name}"


def _config(stack: str) -> dict[str, Any]:
    path = _CONFIG / f"{stack}.json"
    return json.loads(path.read_text()) if path.exists() else {}


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_the_stack_passes_every_rule_and_every_rule_looked_at_something(stack: str) -> None:
    resources, config = _resources(stack), _config(stack)
    assert len(resources) > 150
    verdicts = {rule.meta.name: judge(rule, resources, config) for rule in ALL}
    assert [finding.message for verdict in verdicts.values() for finding in verdict.findings] == []
    idle = {name for name, verdict in verdicts.items() if verdict.matched == 0}
    assert idle == _IDLE[stack]


def test_the_login_of_a_redis_of_somebody_else_breaks_no_rule() -> None:
    external = {"host": "cache.example.com", "port": 6379, "user": "crypto", "secret": "redis", "caSecret": "redis-ca"}
    chosen = settings.load({**stack_values("prod"), "redis": {"external": external}})
    resources = _plain(engine.registered(chosen, "redis-login"))
    assert "redis-ca" in str(resources)
    assert [finding.message for rule in ALL for finding in judge(rule, resources, _config("prod")).findings] == []


def test_a_stack_that_breaks_a_promise_is_noticed() -> None:
    resources = _resources("prod")
    broken = [resource for resource in resources if resource.name != "network-default-deny"]
    assert len(broken) == len(resources) - 1
    rule = next(rule for rule in ALL if rule.meta.name == "network-default-deny")
    assert judge(rule, broken, {}).findings
