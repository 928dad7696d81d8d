"""Settings of a stack: what is missing, wrong or unknown is named, and nothing else gets through."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from runbook import formats, settings
from runbook.ops_settings import OpsSettings, RedisTarget
from tests.program.settings import load, stack_values


def _postgres(**external: Any) -> dict[str, Any]:
    return {"postgres": {"external": {"host": "db.example.com", "port": 5432, **external}}}


def _kafka(**login: Any) -> dict[str, Any]:
    return {"kafka": {"external": {"bootstrap": ["b-1.example.com:9096"], **login}}}


def _redis(**external: Any) -> dict[str, Any]:
    return {"redis": {"external": {"host": "cache.example.com", "port": 6379, **external}}}


def _waiver(**changes: Any) -> dict[str, Any]:
    waiver = dict.fromkeys(("rule", "resource", "owner", "reason", "ticket"), "x") | {"expires": "2027-03-31"}
    return {"policies": {"waivers": [waiver | changes]}}


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


_PUBLIC = {
    name: base64.b64encode(name.ljust(32).encode()).decode() for name in ("postgres", "redis", "resources", "verify")
}


def _signers(**changes: Any) -> dict[str, Any]:
    return {"backup": {"bucket": "backups", "signers": {name: [key] for name, key in _PUBLIC.items()} | changes}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"timeZone": "Mars/Base"}, ("crypto:timeZone", "Mars/Base", "tz database")),
        ({"domian": "x"}, ("crypto:domian", "no setting of this program")),
        ({"services": {"sentimnt": {}}}, ("sentimnt", "known are")),
        ({"services": ["api-gateway"]}, ("crypto:services is ['api-gateway']", "mapping")),
        ({"services": {"sentiment": "big"}}, ("crypto:services.sentiment is 'big'", "mapping")),
        ({"services": {"sentiment": {"resources": 1}}}, ("crypto:services.sentiment.resources is 1", "mapping")),
        (
            {"services": {"sentiment": {"resources": {"memoryRequest": "9Gi"}}}},
            ("crypto:services.sentiment.resources", "9Gi", "8Gi"),
        ),
        (
            {"services": {"sentiment": {"resources": {"memoryRequest": "many"}}}},
            ("crypto:services.sentiment.resources.memoryRequest", "many", "quantity"),
        ),
        (
            {"services": {"analytics": {"resources": {"cpuRequest": "4Gi"}}}},
            ("crypto:services.analytics.resources.cpuRequest is '4Gi'", "from 1m to 1024"),
        ),
        (
            {"services": {"analytics": {"replicasNormal": 9}}},
            ("crypto:services.analytics", "replicasPeak 8", "replicasNormal 9"),
        ),
        ({"services": {"analytics": {"replica": 9}}}, ("crypto:services.analytics.replica is no setting",)),
        ({"images": {"ops": "x"}}, ("images", "postgres")),
        ({"images": {"ops": ""}}, ("images.ops is ''", "must be a reference like registry.example.com/team/name:1.2")),
        ({"images": {"ops": "a\nb"}}, ("images.ops is 'a\\nb'", "must be a reference")),
        ({"images": {"ops": "a:1@sha256:12"}}, ("images.ops", "must be a reference")),
        (
            _signers(redis=["QZ/7gAessHrUkACUUFBgFIPkI4+6+nyc7/f9V7ouZWx="]),
            ("backup.signers.redis", "32 bytes in base64"),
        ),
        ({"backup": {"bucket": "Not A Bucket"}}, ("backup.bucket", "Not A Bucket")),
        ({"backup": {"bucket": "backups", "shrinkShare": 1.5}}, ("backup.shrinkShare", "1.5", "at most 1")),
        (_signers(redis=["age1nothing"]), ("backup.signers.redis", "age1nothing", "32 bytes in base64")),
        (_signers(redis=[]), ("backup.signers.redis", "1 or more")),
        (_signers(verify=[_PUBLIC["postgres"]]), ("is a key of postgres and of verify", "keys of its own")),
        (_signers(verify=None), ("backup.signers.verify",)),
        ({"aws": {"region": "here"}}, ("aws.region", "here", "like eu-central-1")),
        ({"aws": {"region": "eu-central-\u0663"}}, ("aws.region", "like eu-central-1")),
        ({"backup": {"bucket": "backups", "prefix": "../"}}, ("backup.prefix", "'../'", "a slash at the end")),
        ({"backup": {"bucket": "backups", "retentionDays": True}}, ("backup.retentionDays is true", "a number")),
        ({"kafka": {"outsideListener": 1}}, ("kafka.outsideListener is 1", "true or false")),
        ({"kafka": {"outsideListener": "true"}}, ("kafka.outsideListener is 'true'", "true or false")),
        ({"kafka": {"external": {"bootstrap": ["a:9092", "b:99999"]}}}, ("external.bootstrap.1", "b:99999", "65535")),
        ({"postgres": {"volumeSize": "5Gi\n"}}, ("postgres.volumeSize", "5Gi", "no quantity")),
        ({"postgres": {"volumeSize": "\u0665Gi"}}, ("postgres.volumeSize", "no quantity")),
        ({"redis": {"resources": {"memoryLimit": "512m"}}}, ("redis.resources.memoryLimit", "512m", "from 1Mi")),
        ({"network": {"awsCidrs": ["10.0.0.1/16"]}}, ("network.awsCidrs.0 is '10.0.0.1/16'", "a network like")),
        ({"network": {"mailCidrs": ["smtp.example.com"]}}, ("network.mailCidrs.0 is 'smtp.example.com'", "a network")),
        ({"network": {"chatCidrs": []}}, ("network.chatCidrs", "1 or more elements")),
        ({"certificates": {"acmeServer": "http://x"}}, ("certificates.acmeServer", "an address like https://")),
        ({"monitoring": {"prometheusUrl": "http://x:70000"}}, ("monitoring.prometheusUrl", "x:70000", "an address")),
        (_waiver(expires=5), ("policies.waivers.0.expires is 5", "a day in quotes")),
        (_waiver(expires="2027-03-31\n"), ("policies.waivers.0.expires", "a day in quotes")),
        ({"aws": {"region": "eu-central-1", "endpoint": "http://localhost:1"}}, ("credentialsSecret",)),
        ({"postgres": {"maxConnections": "lots"}}, ("postgres.maxConnections", "lots")),
        ({"redis": {"maxmemoryRatio": 1.0}}, ("redis.maxmemoryRatio", "1.0")),
        (_kafka(user="ops"), ("kafka.external", "'ops'", "without secret", "name the Secret")),
        (_kafka(secret="login"), ("kafka.external", "'login'", "without user", "name the user")),
        (_kafka(user="o", secret="s", mechanism="GSSAPI"), ("kafka.external.mechanism", "GSSAPI", "SCRAM-SHA-512")),
        (_kafka(user="o", secret="s", mechanism="PLAIN", tls=False), ("kafka.external", "PLAIN", "in the clear")),
        (_kafka(caSecret="kafka-ca", tls=False), ("kafka.external", "'kafka-ca'", "tls: false", "remove one")),
        (_redis(user="ops"), ("redis.external", "'ops'", "without secret", "name the Secret")),
        (_redis(user="two words", secret="redis"), ("redis.external.user", "two words", "a name without spaces")),
        (_redis(user="nul\0", secret="redis"), ("redis.external.user", "nul", "a name without spaces")),
        (_redis(user="", secret="redis"), ("redis.external.user", "''", "a name without spaces")),
        (_redis(secret="Redis Login"), ("redis.external.secret", "Redis Login", "lower-case letters")),
        (_redis(caSecret="redis_ca"), ("redis.external.caSecret", "redis_ca", "lower-case letters")),
        (_redis(caSecret="redis-ca", tls=False), ("redis.external", "'redis-ca'", "tls: false", "remove one")),
        (_postgres(caSecret="database_ca"), ("postgres.external.caSecret", "database_ca")),
        (_postgres(caSecret="ca", tls=False), ("postgres.external", "'ca'", "tls: false", "remove one")),
        ({"redis": {"secret": "redis"}}, ("redis.secret", "no setting of this program")),
        ({"redis": {"external": {"secret": "redis", "port": 6379}}}, ("redis.external.host is missing",)),
    ],
)
def test_a_wrong_value_is_named_with_its_key(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    message = _error(changes)
    assert all(word in message for word in words), message
    assert "Traceback" not in message


def test_a_wrong_element_of_a_list_is_named_once() -> None:
    assert _error({"network": {"apiServerPorts": [443, 0]}}).splitlines() == [
        "crypto:network.apiServerPorts.1 is 0: must be at least 1"
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"environmentName": "Prod_1"}, "must be lower-case letters, digits and hyphens, with a letter first"),
        ({"domain": 5}, "must be a text"),
        ({"network": {"apiServerPorts": 443}}, "must be a list"),
        ({"network": {"apiServerPorts": ["4x"]}}, "must be a number, in the digits 0 to 9"),
        ({"postgres": {"maxConnections": 1.5}}, "must be a whole number"),
        ({"backup": {"bucket": "Back_ups"}}, "must be 3 to 63 lower-case letters, digits, dots and hyphens"),
        ({"kafka": {"external": {"bootstrap": "kafka:9092"}}}, "must be a list"),
        ({"owner": "x" * 5000}, "must have 4096 or fewer characters"),
        ({"notifications": {"mail": {"host": "mail", "sender": "me", "recipients": []}}}, "must be a mail address"),
        (
            {"notifications": {"mail": {"host": "mail", "sender": "a@b.c", "recipients": []}}},
            "must have 1 or more elements",
        ),
    ],
)
def test_a_message_says_in_words_what_a_value_must_be(changes: dict[str, Any], told: str) -> None:
    message = _error(changes)
    assert told in message
    assert "pattern" not in message
    assert "Input should" not in message


@pytest.mark.parametrize("model", [settings.Settings, OpsSettings])
def test_every_pattern_has_its_words(model: type[BaseModel]) -> None:
    patterns = set(re.findall(r'"pattern": ("(?:[^"\\\\]|\\\\.)*")', json.dumps(model.model_json_schema())))

    assert patterns
    for pattern in patterns:
        detail = {"type": "string_pattern_mismatch", "ctx": {"pattern": json.loads(pattern)}, "msg": ""}
        assert json.loads(pattern) not in formats.told(detail)


def test_a_number_may_be_a_text_as_pulumi_config_set_writes_a_fraction() -> None:
    changes = {"redis": {"maxmemoryRatio": "0.5"}, "postgres": {"maxConnections": "300"}}
    loaded = settings.load({**stack_values("prod"), **changes})

    assert (loaded.redis.maxmemory_ratio, loaded.postgres.max_connections) == (0.5, 300)


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model with those inside it."""
    yield model
    for field in model.model_fields.values():
        for inner in _parts(field.annotation):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _models(inner)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _fields(*kinds: Any) -> list[Any]:
    """Every field of the stack's settings, and of those of ops, that has one of the types or a list of it."""
    return [
        pytest.param(
            model, field.alias, not any(field.annotation is kind for kind in kinds), id=f"{model.__name__}.{name}"
        )
        for model in dict.fromkeys([*_models(settings.Settings), *_models(OpsSettings)])
        for name, field in model.model_fields.items()
        if any(part in kinds for part in _parts(field.annotation))
    ]


def _refuses(model: type[BaseModel], key: str, value: Any) -> bool:
    with pytest.raises(ValidationError) as caught:
        model.model_validate({key: value, "nonsense": 1})
    return any(error["loc"][0] == key for error in caught.value.errors())


_NO_NUMBERS = (
    True,
    False,
    "1\n",
    " 1",
    "\u0663",
    "1_0",
    math.inf,
    -math.inf,
    math.nan,
    "inf",
    "nan",
    10**12,
    -(10**12),
    "9" * 5000,
)


@pytest.mark.parametrize(("model", "key", "listed"), _fields(int, float))
def test_every_number_has_bounds_and_is_a_number(model: type[BaseModel], key: str, listed: bool) -> None:
    assert [value for value in _NO_NUMBERS if not _refuses(model, key, [value] if listed else value)] == []


@pytest.mark.parametrize(("model", "key", "listed"), _fields(bool))
def test_a_truth_value_is_true_or_false(model: type[BaseModel], key: str, listed: bool) -> None:
    assert not listed
    assert [value for value in (0, 1, 1.0, "true", "yes", None) if not _refuses(model, key, value)] == []


def test_numbers_and_truth_values_of_both_settings_are_known() -> None:
    names = {field.id for field in _fields(int, float, bool)}

    assert len(names) > 30
    assert names >= {"BackupTarget.retention_days", "BackupSettings.retention_days", "NetworkSettings.api_server_ports"}


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


def test_a_quantity_may_be_a_number_as_the_command_of_pulumi_stores_it() -> None:
    given: dict[str, Any] = {"cpuRequest": 2, "memoryRequest": 4294967296, "memoryLimit": "4Gi"}
    resources = settings.Resources.model_validate(given)
    assert (resources.cpu_request, resources.memory_request) == ("2", "4294967296")
    assert settings.Resources.model_validate({**given, "cpuRequest": 0.5}).cpu_request == "0.5"
    with pytest.raises(ValidationError, match="cpuRequest"):
        settings.Resources.model_validate({**given, "cpuRequest": True})


@pytest.mark.parametrize("reference", [
    "postgres", "localhost/crypto/ops:ee53e8948c90", "registry.example.com:5000/team/a_b/name__x-y.z:1.2-rc_3",
    f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/ops@sha256:{'a' * 64}",
])  # fmt: skip
def test_a_reference_of_an_image_has_any_registry_path_tag_and_digest(reference: str) -> None:
    values = {**stack_values("prod"), "images": dict.fromkeys(settings.IMAGE_NAMES, reference)}
    assert settings.load(values).image("ops") == reference


def test_authorities_of_a_redis_without_tls_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match=r"caFile '/ca.crt' is set beside tls: false; set tls to true"):
        RedisTarget.model_validate({"host": "redis", "port": 6379, "caFile": "/ca.crt"})
