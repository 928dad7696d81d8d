"""Settings of a stack: what is missing, wrong or unknown is named, and nothing else gets through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook import settings
from tests.program.settings import load, stack_values


def _redis(**external: Any) -> dict[str, Any]:
    return {"redis": {"external": {"host": "cache.example.com", "port": 6379, **external}}}


def _error(changes: dict[str, Any], *, without: str | None = None) -> str:
    values = {**stack_values("prod"), **changes}
    if without:
        del values[without]
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(values)
    return str(caught.value)


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_both_stacks_load(stack: str) -> None:
    assert load(stack).namespace == "crypto"


def test_what_the_stack_leaves_out_comes_from_the_runbook() -> None:
    sentiment = load("prod").services["sentiment"]
    assert (sentiment.replicas_normal, sentiment.replicas_peak) == (2, 5)
    assert (sentiment.resources.memory_request, sentiment.resources.memory_limit) == ("4Gi", "8Gi")


@pytest.mark.parametrize("key", ["domain", "certificates", "backup", "aws", "images", "environmentName", "kubeContext"])
def test_a_missing_key_is_named(key: str) -> None:
    assert _error({}, without=key).startswith(f"crypto:{key} is missing")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"timeZone": "Mars/Base"}, ("crypto:timeZone", "Mars/Base", "tz database")),
        ({"domian": "x"}, ("crypto:domian", "no setting of this program")),
        ({"services": {"sentimnt": {}}}, ("sentimnt", "known are")),
        ({"services": ["api-gateway"]}, ("services", "mapping")),
        ({"services": {"sentiment": "big"}}, ("sentiment", "mapping")),
        ({"services": {"sentiment": {"resources": {"memoryRequest": "9Gi"}}}}, ("9Gi", "8Gi")),
        ({"services": {"sentiment": {"resources": {"memoryRequest": "many"}}}}, ("many", "quantity")),
        ({"services": {"analytics": {"replicasNormal": 9}}}, ("replicasPeak 8", "replicasNormal 9")),
        ({"images": {"ops": "x"}}, ("images", "postgres")),
        ({"backup": {"bucket": "Not A Bucket"}}, ("backup.bucket", "Not A Bucket")),
        ({"backup": {"bucket": "backups", "shrinkShare": 1.5}}, ("backup.shrinkShare", "1.5", "less than or equal")),
        ({"aws": {"region": "here"}}, ("aws.region", "here")),
        ({"aws": {"region": "eu-central-1", "endpoint": "http://localhost:1"}}, ("credentialsSecret",)),
        ({"postgres": {"maxConnections": "lots"}}, ("postgres.maxConnections", "lots")),
        ({"redis": {"maxmemoryRatio": 1.0}}, ("redis.maxmemoryRatio", "1.0")),
        (_redis(user="ops"), ("redis.external", "'ops'", "without secret", "name the Secret")),
        (_redis(user="two words", secret="redis"), ("redis.external.user", "two words", "pattern")),
        (_redis(user="nul\0", secret="redis"), ("redis.external.user", "nul", "pattern")),
        (_redis(user="", secret="redis"), ("redis.external.user", "''", "pattern")),
        (_redis(secret="Redis Login"), ("redis.external.secret", "Redis Login", "pattern")),
        (_redis(caSecret="redis_ca"), ("redis.external.caSecret", "redis_ca", "pattern")),
        (_redis(caSecret="redis-ca", tls=False), ("redis.external", "'redis-ca'", "tls: false", "remove one")),
        ({"redis": {"secret": "redis"}}, ("redis.secret", "no setting of this program")),
        ({"redis": {"external": {"secret": "redis", "port": 6379}}}, ("redis.external.host is missing",)),
    ],
)
def test_a_wrong_value_is_named_with_its_key(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    message = _error(changes)
    assert all(word in message for word in words), message
    assert "Traceback" not in message


def test_every_wrong_key_gets_its_own_line() -> None:
    assert len(_error({"timeZone": "nowhere", "domain": "!", "extra": 1}).splitlines()) == 3


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(sorted([*stack_values("prod"), "services", "redis", "kafka", "protect"])), value=_JSON)
def test_any_value_loads_or_is_a_settings_error(key: str, value: Any) -> None:
    message = "crypto:"
    try:
        settings.load({**stack_values("prod"), key: value})
    except settings.SettingsError as error:
        message = str(error)
    assert message.startswith("crypto:")
