"""Any accepted settings build the program. What is refused: tests/unit/test_runbook_settings.py."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from runbook import settings, units
from tests.program import engine, look
from tests.program.settings import stack_values

_MEMORY = st.integers(64, 16384).map(lambda number: f"{number}Mi")
_CORES = st.integers(10, 8000).map(lambda number: f"{number}m")
_HOST = st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}\.example", fullmatch=True)
_CIDR = st.sampled_from(["10.0.0.0/8", "192.168.1.0/24", "0.0.0.0/0", "fd00::/8"])
_CIDRS = st.lists(_CIDR, min_size=1, max_size=2)


def _mapping(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


_RESOURCES = _mapping(
    cpuRequest=_CORES,
    memoryRequest=st.integers(64, 512).map(lambda number: f"{number}Mi"),
    memoryLimit=st.integers(512, 16384).map(lambda number: f"{number}Mi"),
)
_SERVICE = _mapping(
    replicasNormal=st.integers(0, 12),
    replicasPeak=st.integers(0, 30),
    cpuCores=st.integers(0, 64),
    resources=_RESOURCES,
)
_EXTERNAL = st.fixed_dictionaries({"host": _HOST, "port": st.integers(1, 65535)}, optional={"cidr": _CIDR})
_EXTERNAL_POSTGRES = _EXTERNAL.flatmap(lambda server: st.sampled_from([server, {**server, "caSecret": "ca"}]))
# A user without its Secret is refused: the two are drawn together.
_LOGINS: list[dict[str, Any]] = [{}, {"secret": "redis"}, {"secret": "redis", "user": "crypto", "caSecret": "redis-ca"}]
_EXTERNAL_REDIS = _EXTERNAL.flatmap(lambda server: st.sampled_from([{**server, **login} for login in _LOGINS]))
_KAFKA: dict[str, Any] = {"bootstrap": ["b-1.example:9096"]}
_EXTERNAL_KAFKA = st.sampled_from([_KAFKA, {**_KAFKA, "secret": "kafka", "user": "crypto", "caSecret": "kafka-ca"}])
_CERTIFICATES = st.fixed_dictionaries(
    {"email": st.just("ops@example.com")},
    optional={
        "issuer": st.sampled_from(["acme", "selfSigned"]),
        "durationDays": st.integers(60, 398),
        "renewBeforeDays": st.integers(1, 30),
    },
)
_CHANGES = _mapping(
    namespace=st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True),
    timeZone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    services=_mapping(sentiment=_SERVICE, analytics=_SERVICE),
    postgres=_mapping(external=_EXTERNAL_POSTGRES, maxConnections=st.integers(10, 500), volumeSize=_MEMORY),
    redis=_mapping(external=_EXTERNAL_REDIS, maxmemoryRatio=st.floats(0.01, 0.75)),
    kafka=_mapping(brokers=st.integers(1, 7), outsideListener=st.booleans(), external=_EXTERNAL_KAFKA),
    certificates=_CERTIFICATES,
    monitoring=_mapping(grafana=_mapping(service=st.just("grafana"), namespace=st.just("observability"))),
    notifications=_mapping(slackSecret=st.just("slack")),
    network=_mapping(dnsCidr=_CIDR, apiServerCidrs=_CIDRS, awsCidrs=_CIDRS, mailCidrs=_CIDRS, chatCidrs=_CIDRS),
    maintenance=st.booleans(),
    adoptNamespace=st.booleans(),
    protect=st.booleans(),
)


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=_CHANGES)
def test_any_accepted_settings_build_a_whole_system(changes: dict[str, Any]) -> None:
    # Two settings that each fit may not fit together: such a draw is left out, and too many of them fail the test.
    chosen = None
    with contextlib.suppress(settings.SettingsError):
        chosen = settings.load({**stack_values("prod"), **changes})
    assume(chosen)
    assert chosen is not None
    stack = engine.registered(chosen, "any")
    hard = look.of(stack, "ResourceQuota")[0].inputs["spec"]["hard"]
    assert units.quantity(hard["pods"]) > len(look.of(stack, "CronJob"))
    # Whatever was chosen, a name is taken once.
    names = [
        (item.token, item.inputs["metadata"].get("namespace"), item.inputs["metadata"]["name"])
        for item in look.in_kubernetes(stack)
    ]
    assert len(names) == len(set(names))
