"""Rules about what holds data: Redis' memory, and protection from deletion."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from policies import kinds, pods
from policies.environment import files
from policies.index import StackIndex
from policies.model import (
    Judgement,
    Meta,
    Parameter,
    Parameters,
    Resource,
    ResourceRule,
    Severity,
    StackRule,
    decide,
    expect,
    undecided,
)
from policies.plain import MISSING, UNKNOWN, Marker, Node
from policies.values import number_of_bytes
from runbook import datastores, practices
from runbook.sections import Section

_DIRECTIVE: Final = re.compile(r"^[ \t]*maxmemory[ \t]+\"?(\d+)([a-zA-Z]*)\"?[ \t]*$", re.MULTILINE | re.IGNORECASE)
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


def parse_maxmemory(config: str) -> int | None:
    """The ``maxmemory`` of a redis.conf in bytes, by Redis' own units (1k is 1000, 1kb is 1024); the last one counts.

    None: there is none that can be read. 0 means no limit, as in Redis.
    """
    found = _DIRECTIVE.findall(config)
    if not found:
        return None
    number, unit = found[-1]
    factor = _UNITS.get(unit.lower())
    return None if factor is None else int(number) * factor


def _maxmemory(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for redis in index.of(kinds.STATEFUL_SET):
        if redis.at("metadata", "name").text == datastores.REDIS.name:
            yield from ((redis, judgement) for judgement in _judge_redis(index, redis))


def _judge_redis(index: StackIndex, redis: Resource) -> Iterable[Judgement]:
    for container in pods.named_container(redis, datastores.REDIS.name):
        yield _judge_container(index, redis, container)


def _judge_container(index: StackIndex, redis: Resource, container: Node) -> Judgement:
    limit, maxmemory = container.at("resources", "limits", "memory"), _configured(index, redis, container)
    share = practices.REDIS_MAXMEMORY_RATIO.value
    allowed = f"a maxmemory of at most {share:g} of the container's memory limit: a fork needs the rest"
    if UNKNOWN in (limit.value, maxmemory):
        return undecided("maxmemory", allowed)
    if isinstance(maxmemory, Marker):
        return decide(False, "maxmemory", f"{maxmemory.value} in the arguments and in the mounted ConfigMaps", allowed)
    wanted = f"a limit of which the maxmemory of {maxmemory} bytes is more than 0 and at most {share:g}"
    return expect(limit, lambda value: 0 < maxmemory <= share * number_of_bytes(value), wanted)


def _configured(index: StackIndex, redis: Resource, container: Node) -> int | Marker:
    """Redis' maxmemory in bytes: an argument wins over a mounted redis.conf."""
    words = [node.value for key in ("command", "args") for node in container.at(key).elements()]
    for flag, value in pairwise(words):
        if flag == "--maxmemory":
            parsed = parse_maxmemory(f"maxmemory {value}") if isinstance(value, (str, int)) else None
            return parsed if parsed is not None else (UNKNOWN if value is UNKNOWN else MISSING)
    hidden = next((word for word in words if isinstance(word, Marker)), None)
    if hidden is not None:
        return hidden
    texts = [node.value for node in files(index, redis)]
    numbers = [parse_maxmemory(text) for text in texts if isinstance(text, str)]
    stated = [number for number in numbers if number is not None]
    if stated:
        return stated[-1]
    return next((text for text in texts if isinstance(text, Marker)), MISSING)


def _protected(resource: Resource, parameters: Parameters) -> Iterable[Judgement]:
    if parameters["production"]:
        found = "true" if resource.protect else "false"
        yield decide(resource.protect, "the resource option protect", found, "true in production")


RULES: Final = (
    StackRule(
        Meta(
            "redis-maxmemory",
            "Redis evicts before the kernel kills it: its maxmemory is below its memory limit.",
            Severity.HIGH,
            Section.REDIS_MEMORY,
            "Set maxmemory in redis.conf below the container's memory limit; a snapshot's fork needs the rest.",
        ),
        _maxmemory,
    ),
    ResourceRule(
        Meta(
            "stateful-protected",
            "In production, nothing that holds data can be deleted by an update.",
            Severity.CRITICAL,
            Section.DATABASE_RECOVERY,
            "Set the resource option protect=True on the resource itself; a component does not hand it down by type.",
            parameters=(Parameter("production", {"type": "boolean"}, False),),
        ),
        kinds.one_of(kinds.STATEFUL_SET, kinds.BUCKET, kinds.KMS_KEY),
        _protected,
    ),
)
