"""Rules about the datastores' own settings: what Redis keeps, what a volume outlives, how Kafka is cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies import kinds, pods
from policies.environment import variable
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, StackJudge, decide, expect_equal
from policies.plain import MISSING, UNKNOWN, Node, Plain, show
from policies.redis_conf import setting
from policies.values import counted
from runbook import datastores, thresholds
from runbook.sections import Section

# By which Redis asks for a login.
_LOGINS: Final = ("aclfile", "requirepass")
_PARTITIONS: Final = thresholds.KAFKA_PARTITIONS


def _redis_says(key: str, wanted: str) -> StackJudge:
    """A judge of one directive of redis.conf."""

    def judge(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
        for redis, container in _redis(index):
            value = setting(index, redis, container, key)
            yield redis, decide(None if value is UNKNOWN else value == wanted, key, show(value), wanted)

    return judge


def _redis(index: StackIndex) -> Iterable[tuple[Resource, Node]]:
    """The declared Redis, and its container."""
    for redis in index.of(kinds.STATEFUL_SET):
        if redis.object_name == datastores.REDIS.name:
            yield redis, next(iter(pods.named_container(redis, datastores.REDIS.name)), Node(MISSING))


def _redis_users(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for redis, container in _redis(index):
        stated = [setting(index, redis, container, key) for key in _LOGINS]
        # An empty name is none.
        given = [value for value in stated if value not in (MISSING, "")]
        asked = None if given and set(given) == {UNKNOWN} else bool(given)
        yield redis, decide(asked, _LOGINS[0], show(stated[0]), f"one of {', '.join(_LOGINS)}")


def _claims(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    if resource.at("spec", "volumeClaimTemplates").present:
        policy = resource.at("spec", "persistentVolumeClaimRetentionPolicy")
        for key in ("whenDeleted", "whenScaled"):
            yield expect_equal(policy.at(key), "Retain")


def _partitions(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for kafka in index.of(kinds.STATEFUL_SET):
        if kafka.object_name != datastores.KAFKA.name:
            continue
        container = next(iter(pods.named_container(kafka, datastores.KAFKA.name)), Node(MISSING))
        value = variable(index, kafka, container, "KAFKA_NUM_PARTITIONS")
        enough = None if value is UNKNOWN else _enough(value)
        yield kafka, decide(enough, "KAFKA_NUM_PARTITIONS", show(value), f"{_PARTITIONS.count} or more")


def _enough(value: Plain) -> bool:
    try:
        return counted(value) >= _PARTITIONS.count
    except ValueError:
        return False


RULES: Final = (
    Meta(
        "redis-evicts",
        "A full Redis drops what was used least lately, and does not refuse writes.",
        Severity.MEDIUM,
        Section.REDIS_MEMORY,
        "Set maxmemory-policy allkeys-lru in redis.conf.",
    ).of_stack(_redis_says("maxmemory-policy", "allkeys-lru")),
    Meta(
        "redis-persistent",
        "Redis keeps its data over a restart.",
        Severity.MEDIUM,
        Section.REDIS_PERSISTENCE,
        "Set appendonly yes in redis.conf.",
    ).of_stack(_redis_says("appendonly", "yes")),
    Meta(
        "redis-users",
        "The declared Redis asks for a login.",
        Severity.HIGH,
        Section.ACCESS_REVIEW,
        "Name a file of ACL users (aclfile) in redis.conf, or set requirepass.",
    ).of_stack(_redis_users),
    Meta(
        "claims-retained",
        "Volumes outlive the workload that they belong to.",
        Severity.CRITICAL,
        Section.DATABASE_RECOVERY,
        "Set persistentVolumeClaimRetentionPolicy.whenDeleted and whenScaled to Retain.",
    ).of_resource(kinds.one_of(kinds.STATEFUL_SET), _claims),
    Meta(
        "kafka-partitions",
        "A topic has a partition for every consumer that the runbook may start.",
        Severity.MEDIUM,
        Section.KAFKA_LAG,
        "Set KAFKA_NUM_PARTITIONS to the runbook's number or more.",
    ).of_stack(_partitions),
)
