"""Rules about what holds data: Redis' memory, and protection from deletion."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from policies import kinds, pods
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameter, Parameters, Resource, Severity, decide, expect, undecided
from policies.plain import UNKNOWN, Marker, Node, Plain, show
from policies.redis_conf import setting
from policies.values import number_of_bytes
from runbook import datastores, practices
from runbook.sections import Section

_SIZE: Final = re.compile(r"([0-9]{1,20})([a-zA-Z]*)")
_UNITS: Final = {
    "": 1,
    "b": 1,
    "k": 10**3,
    "kb": 2**10,
    "m": 10**6,
    "mb": 2**20,
    "g": 10**9,
    "gb": 2**30,
}


def _bytes(value: Plain) -> int | None:
    """Redis' own units: 1k is 1000 and 1kb is 1024. None: it is no size. 0 means no limit, as in Redis."""
    size = _SIZE.fullmatch(str(value))
    factor = _UNITS.get(size[2].lower()) if size else None
    return None if size is None or factor is None else int(size[1]) * factor


def _maxmemory(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for redis in index.of(kinds.STATEFUL_SET):
        if redis.at("metadata", "name").text == datastores.REDIS.name:
            yield from ((redis, judgement) for judgement in _judge_redis(index, redis))


def _judge_redis(index: StackIndex, redis: Resource) -> Iterable[Judgement]:
    for container in pods.named_container(redis, datastores.REDIS.name):
        yield _judge_container(index, redis, container)


def _judge_container(index: StackIndex, redis: Resource, container: Node) -> Judgement:
    limit, maxmemory = container.at("resources", "limits", "memory"), setting(index, redis, container, "maxmemory")
    share = practices.REDIS_MAXMEMORY_RATIO.value
    allowed = f"a maxmemory of at most {share:g} of the container's memory limit: a fork needs the rest"
    if UNKNOWN in (limit.value, maxmemory):
        return undecided("maxmemory", allowed)
    if isinstance(maxmemory, Marker):
        return decide(False, "maxmemory", f"{maxmemory.value} in the arguments and in the mounted ConfigMaps", allowed)
    stated = _bytes(maxmemory)
    if stated is None:
        return decide(False, "maxmemory", show(maxmemory), f"{allowed}, as Redis writes sizes (600mb)")
    wanted = f"a limit of which the maxmemory of {stated} bytes is more than 0 and at most {share:g}"
    return expect(limit, lambda value: 0 < stated <= share * number_of_bytes(value), wanted)


def _protected(resource: Resource, parameters: Parameters) -> Iterable[Judgement]:
    if parameters["production"]:
        found = "true" if resource.protect else "false"
        yield decide(resource.protect, "the resource option protect", found, "true in production")


RULES: Final = (
    Meta(
        "redis-maxmemory",
        "Redis evicts before the kernel kills it: its maxmemory is below its memory limit.",
        Severity.HIGH,
        Section.REDIS_MEMORY,
        "Set maxmemory in redis.conf below the container's memory limit; a snapshot's fork needs the rest.",
    ).of_stack(_maxmemory),
    Meta(
        "stateful-protected",
        "In production, nothing that holds data can be deleted by an update.",
        Severity.CRITICAL,
        Section.DATABASE_RECOVERY,
        "Set the resource option protect=True on the resource itself; a component does not hand it down by type.",
        parameters=(Parameter("production", {"type": "boolean"}, False),),
    ).of_resource(kinds.one_of(kinds.STATEFUL_SET, kinds.BUCKET, kinds.KMS_KEY), _protected),
)
