"""Both of this project's stacks pass, but for the rights that production's waivers accept and the local stack tells."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from policies.catalogue import ALL
from policies.checking import check
from policies.configuring.configuration import WAIVERS_KEY
from policies.configuring.reading import read as read_configuration
from policies.model import Resource
from policies.plain import to_plain
from policies.reporting.result import Standing
from policies.sources.source import EngineSource
from policies.waiving.applying import Ledger
from policies.waiving.reading import waivers
from runbook import settings
from tests.policies.running import judge
from tests.program import engine
from tests.program.settings import stack_values

# People of the runbook have rights that lead further.
_ACCEPTED = {
    ("rbac-no-way-to-ports", "RoleBinding on-call"),
    ("rbac-no-namespace-admin", "RoleBinding break-glass-admin"),
}
_CONFIG = Path(__file__).resolve().parents[2] / "policies" / "config"
# What is asked for in production alone, or has no resource in a stack without an object lock.
_IDLE = {
    "local": {
        "object-lock-within-retention",
        "backups-locked",
        "backups-encrypted",
        "backups-signed",
        "network-egress-narrowed",
        "postgres-verified",
        "outside-encrypted",
        "redis-login",
        "kafka-login",
        "stateful-protected",
    },
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
    """The parameters of a stack's rules."""
    given: dict[str, Any] = json.loads((_CONFIG / f"{stack}.json").read_text())
    return {rule: said for rule, said in given.items() if isinstance(said, dict) and rule != WAIVERS_KEY}


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_the_stack_passes_every_rule_and_every_rule_looked_at_something(stack: str) -> None:
    resources, config = _resources(stack), _config(stack)
    assert len(resources) > 150
    verdicts = {rule.meta.name: judge(rule, resources, config) for rule in ALL}
    found = [finding for verdict in verdicts.values() for finding in verdict.findings]
    assert {(finding.rule.name, finding.resource) for finding in found} == _ACCEPTED, [each.message for each in found]
    idle = {name for name, verdict in verdicts.items() if verdict.matched == 0}
    assert idle == _IDLE[stack]


@pytest.mark.parametrize(("stack", "standing"), [("local", Standing.ADVISORY), ("prod", Standing.WAIVED)])
def test_what_is_accepted_stops_no_update_and_nothing_else_is_accepted(stack: str, standing: Standing) -> None:
    configuration = read_configuration(_CONFIG / f"{stack}.json", ALL)
    metas = {rule.meta.name: rule.meta for rule in ALL}
    entries: list[Any] = stack_values("prod")["policies"]["waivers"]
    # A waiver ends some day; that it does is no fault of the code.
    day = min(datetime.date.fromisoformat(entry["expires"]) for entry in entries)
    ledger = Ledger(waivers(configuration.waivers, metas, day))
    result = check(EngineSource(_resources(stack)), ALL, configuration, ledger)
    found = {(entry.finding.rule.name, entry.finding.resource, entry.standing) for entry in result.entries}
    assert found == {(*accepted, standing) for accepted in _ACCEPTED}
    assert result.clean


def test_logins_of_a_redis_and_a_kafka_of_somebody_else_break_no_rule() -> None:
    external = {
        "host": "cache.example.com",
        "port": 6379,
        "cidr": "10.0.0.0/16",
        "user": "crypto",
        "secret": "redis",
        "caSecret": "redis-ca",
    }
    brokers = {"bootstrap": ["b-1.example.com:9096"], "cidr": "10.0.0.0/16", "user": "crypto", "secret": "kafka"}
    outside = {"redis": {"external": external}, "kafka": {"external": brokers}}
    chosen = settings.load({**stack_values("prod"), **outside})
    resources = _plain(engine.registered(chosen, "logins"))
    assert all(text in str(resources) for text in ("redis-ca", "b-1.example.com"))
    found = [finding for rule in ALL for finding in judge(rule, resources, _config("prod")).findings]
    assert {(finding.rule.name, finding.resource) for finding in found} == _ACCEPTED


def test_a_stack_that_breaks_a_promise_is_noticed() -> None:
    resources = _resources("prod")
    broken = [resource for resource in resources if resource.name != "network-default-deny"]
    assert len(broken) == len(resources) - 1
    rule = next(rule for rule in ALL if rule.meta.name == "network-default-deny")
    assert judge(rule, broken, {}).findings
