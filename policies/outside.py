"""Rules about datastores outside of the namespace: their clients encrypt, verify and log in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from policies import kinds, pods
from policies.backups import told
from policies.environment import directive, files, variable
from policies.index import StackIndex
from policies.model import (
    PASSED,
    Judgement,
    Meta,
    Parameter,
    Parameters,
    Resource,
    Severity,
    decide,
    expect,
    expect_equal,
    undecided,
)
from policies.plain import UNKNOWN, Marker, Node, Plain, show
from runbook import datastores, exporters
from runbook.sections import Section

# A Service of the cluster, as the operations program is told of one.
_INSIDE: Final = ".svc"
_VERIFIED: Final = "verify-full"
# Where the operations program's settings have the address of each.
_ADDRESSES: Final = {"redis": "host", "kafka": "bootstrap"}
_EXPORTER: Final = exporters.POSTGRES_EXPORTER.name


def _postgres(index: StackIndex, parameters: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    if not parameters["production"]:
        return
    for config_map, target in told(index, "postgres"):
        for judgement in _of_target(target.at("host"), _verified(target)):
            yield config_map, judgement
    for workload in index.of(kinds.DEPLOYMENT):
        if workload.object_name == datastores.PGBOUNCER.name:
            yield from ((workload, judgement) for judgement in _pooler(index, workload))
        elif workload.object_name == _EXPORTER:
            yield from ((workload, judgement) for judgement in _exporter(index, workload))


def _verified(target: Node) -> Iterable[Judgement]:
    yield expect_equal(target.at("tls"), True)
    allowed = "the file of the authority that signs the server's certificate"
    yield expect(target.at("caFile"), lambda value: isinstance(value, str), allowed)


def _of_target(address: Node, judgements: Iterable[Judgement]) -> Iterable[Judgement]:
    """The judgements where a host of the address is outside; an address whose hosts all lie inside passes."""
    if address.hidden:
        yield undecided(address.path, "an address that is known")
    elif address.text is not None:
        hosts = [each.partition(":")[0] for each in address.text.split(",")]
        yield from [PASSED] if all(host.endswith(_INSIDE) for host in hosts) else judgements


def _pooler(index: StackIndex, pooler: Resource) -> Iterable[Judgement]:
    """PgBouncer names a Service of its own namespace by one word."""
    texts = list(files(index, pooler))
    database = directive(texts, datastores.DATABASE)
    if isinstance(database, str) and "." in database:
        yield _mode("server_tls_sslmode", directive(texts, "server_tls_sslmode"), _VERIFIED)


def _exporter(index: StackIndex, exporter: Resource) -> Iterable[Judgement]:
    for container in pods.named_container(exporter, _EXPORTER):
        address = variable(index, exporter, container, "DATA_SOURCE_URI")
        if isinstance(address, str) and "." in address.partition(":")[0]:
            yield _mode("DATA_SOURCE_URI", address, f"sslmode={_VERIFIED}")


def _mode(path: str, value: Plain, wanted: str) -> Judgement:
    if value is UNKNOWN:
        return undecided(path, wanted)
    stated = "" if isinstance(value, Marker) else str(value)
    return decide(wanted in stated, path, show(value), f"{wanted}: authority and host name are checked")


def _encrypted(index: StackIndex, parameters: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    if not parameters["production"]:
        return
    for section, address in _ADDRESSES.items():
        for config_map, target in told(index, section):
            for judgement in _of_target(target.at(address), [expect_equal(target.at("tls"), True)]):
                yield config_map, judgement


def _logged_in(index: StackIndex, parameters: Parameters, section: str) -> Iterable[tuple[Resource, Judgement]]:
    if not parameters["production"]:
        return
    for config_map, target in told(index, section):
        login = expect(target.at("login", "user"), lambda value: isinstance(value, str), "a user")
        for judgement in _of_target(target.at(_ADDRESSES[section]), [login]):
            yield config_map, judgement


def _meta(name: str, description: str, severity: Severity, remediation: str) -> Meta:
    production = Parameter("production", {"type": "boolean"}, False)
    return Meta(name, description, severity, Section.TLS, remediation, parameters=(production,))


RULES: Final = (
    _meta(
        "postgres-verified",
        "In production, every client of a PostgreSQL outside verifies its certificate.",
        Severity.HIGH,
        "Name the Secret with the authority's certificate in crypto:postgres.external.caSecret.",
    ).of_stack(_postgres),
    _meta(
        "outside-encrypted",
        "In production, Redis and Kafka outside are reached over TLS.",
        Severity.HIGH,
        "Remove tls: false from crypto:redis.external and crypto:kafka.external.",
    ).of_stack(_encrypted),
    _meta(
        "redis-login",
        "In production, clients log in to a Redis outside.",
        Severity.HIGH,
        "Name the Secret with the password of an ACL user in crypto:redis.external.secret, and the user beside it.",
    ).of_stack(partial(_logged_in, section="redis")),
    _meta(
        "kafka-login",
        "In production, clients log in to a Kafka outside.",
        Severity.HIGH,
        "Name the Secret with the user's password in crypto:kafka.external.secret, and the user beside it.",
    ).of_stack(partial(_logged_in, section="kafka")),
)
