"""Redis: the cache, with a memory limit that leaves room for a snapshot's fork (section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from pulumi_kubernetes import core

from components import pods
from components.context import Context
from components.stateful import StatefulArgs, StatefulDatastore, container, data_mount
from runbook import datastores, redis_users
from runbook.sections import Section
from runbook.settings import RedisSettings
from runbook.units import to_bytes

CONFIG_MAP: Final = "redis-config"
_CONFIG: Final = "/etc/redis"
_SECRETS: Final = "/etc/redis-secrets"
_USERS: Final = "/run/redis"
_FILE: Final = "users.acl"
_HASH: Final = """set -eu
umask 077
hash_of() {
    password=$(cat "$1")
    [ -n "$password" ] || { echo "$1 is empty: give the Secret a password" >&2; exit 1; }
    printf %s "$password" | sha256sum | cut -c1-64
}"""


def redis_conf(settings: RedisSettings) -> str:
    """``redis.conf``. With ``maxmemory`` at the container's limit the next snapshot is an OOM kill (defect 10)."""
    maxmemory = int(to_bytes(settings.resources.memory_limit) * settings.maxmemory_ratio)
    lines = [
        "bind * -::*",
        f"port {datastores.REDIS.port}",
        # Nothing reaches it from outside the namespace; protected mode would refuse the services as well.
        "protected-mode no",
        f"aclfile {_USERS}/{_FILE}",
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
    maps = {CONFIG_MAP: {"redis.conf": redis_conf(settings), _FILE: redis_users.acl_file()}}
    users, config = pods.scratch("users", _USERS, "1Mi"), pods.config_files("config", CONFIG_MAP, _CONFIG)
    secrets = [
        pods.secret_files(user.key, login.secret, f"{_SECRETS}/{user.key}")
        for user in redis_users.ALL
        if (login := redis_users.login(context.settings, user))
    ]
    mounts = [config, users, pods.temporary()]
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
        mounts=[*mounts, *secrets],
        sidecars=[_users(context, [config, users, *secrets])],
        config=maps[CONFIG_MAP],
        volume_size=settings.volume_size,
        grace_seconds=60,
    )
    return args, maps


def _users(context: Context, mounts: Sequence[pods.Mount]) -> core.v1.ContainerArgs:
    """Writes the file of users before Redis starts: it has the hashes of their passwords, and no Secret has these."""
    keys = [user.key for user in redis_users.ALL]
    script = "\n".join(
        [
            _HASH,
            # Each by itself: a step that fails inside of another command would leave an empty password.
            *(f"{key}=$(hash_of {_SECRETS}/{key}/password)" for key in keys),
            f'sed "{"; ".join(f"s/{{{key}}}/${key}/" for key in keys)}" {_CONFIG}/{_FILE} >{_USERS}/{_FILE}',
        ]
    )
    return core.v1.ContainerArgs(
        name="users",
        image=context.settings.image("redis"),
        command=["sh", "-c", script],
        # Those of Redis, which starts after it: the pod needs no more than Redis.
        resources=pods.requirements(context.settings.redis.resources),
        security_context=pods.container_security(),
        volume_mounts=[mount.mount for mount in mounts],
    )


class Redis(StatefulDatastore):
    """Redis."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        args, maps = redis_args(context)
        super().__init__("crypto:datastore:Redis", name, args, context, maps, opts)
