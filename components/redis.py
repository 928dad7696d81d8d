"""Redis: the cache, with a memory limit that leaves room for a snapshot's fork (section 3.3)."""

from __future__ import annotations

from typing import Final

import pulumi

from components import pods
from components.context import Context
from components.stateful import StatefulArgs, StatefulDatastore, container, data_mount
from runbook import datastores
from runbook.sections import Section
from runbook.settings import RedisSettings
from runbook.units import to_bytes

CONFIG_MAP: Final = "redis-config"
_CONFIG: Final = "/etc/redis"


def redis_conf(settings: RedisSettings) -> str:
    """``redis.conf``. With ``maxmemory`` at the container's limit the next snapshot is an OOM kill (defect 10)."""
    maxmemory = int(to_bytes(settings.resources.memory_limit) * settings.maxmemory_ratio)
    lines = [
        "bind * -::*",
        f"port {datastores.REDIS.port}",
        # Nothing reaches it from outside the namespace; protected mode would refuse the services as well.
        "protected-mode no",
        "dir /data",
        f"maxmemory {maxmemory}",
        "maxmemory-policy allkeys-lru",
        "appendonly yes",
        "appendfsync everysec",
        "save 3600 1 300 100",
    ]
    return "".join(f"{line}\n" for line in lines)


def redis_args(context: Context) -> tuple[StatefulArgs, dict[str, dict[str, str]]]:
    """The StatefulSet's arguments and its ConfigMaps (name -> files)."""
    settings, spec = context.settings.redis, datastores.REDIS
    maps = {CONFIG_MAP: {"redis.conf": redis_conf(settings)}}
    mounts = [pods.config_files("config", CONFIG_MAP, _CONFIG), pods.temporary()]
    # PING answers LOADING with exit code 0 while a dump is read: only PONG means ready.
    ready = ["sh", "-c", "redis-cli -h 127.0.0.1 ping | grep -q PONG"]
    pod = container(
        spec,
        context.settings.image("redis"),
        settings.resources,
        args=["redis-server", f"{_CONFIG}/redis.conf"],
        mounts=[data_mount("/data"), *(mount.mount for mount in mounts)],
        startup=pods.command_probe(ready, period=5, failures=60),
        readiness=pods.command_probe(ready, period=10, failures=3),
        liveness=pods.tcp_probe(spec.name, period=20, failures=6),
    )
    args = StatefulArgs(
        spec=spec,
        section=Section.REDIS_MEMORY,
        replicas=1,
        container=pod,
        mounts=mounts,
        config=maps[CONFIG_MAP],
        volume_size=settings.volume_size,
        grace_seconds=60,
    )
    return args, maps


class Redis(StatefulDatastore):
    """Redis."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        args, maps = redis_args(context)
        super().__init__("crypto:datastore:Redis", name, args, context, maps, opts)
