"""PostgreSQL: one StatefulSet with the runbook's settings (sections 3.2 and 6.1)."""

from __future__ import annotations

from typing import Final

import pulumi

from components import pods
from components.context import Context
from components.stateful import StatefulArgs, StatefulDatastore, container, data_mount
from runbook import datastores, thresholds
from runbook.sections import Section
from runbook.settings import PostgresSettings
from runbook.units import to_bytes

CONFIG_MAP: Final = "postgres-config"
_CONFIG: Final = "/etc/postgresql"
_SECRETS: Final = "/etc/postgresql/secrets"
_DATA: Final = "/var/lib/postgresql/data"


def postgresql_conf(settings: PostgresSettings) -> str:
    """``postgresql.conf``: a quarter of the pod's memory for shared buffers, and slow statements in the log.

    ``log_statement`` stays off: with ``all`` every value of every statement, secrets too, would be logged (defect 7).
    """
    megabytes = to_bytes(settings.resources.memory_limit) // 2**20
    lines = {
        "listen_addresses": "'*'",
        "max_connections": settings.max_connections,
        "shared_buffers": f"{megabytes // 4}MB",
        "effective_cache_size": f"{megabytes * 3 // 4}MB",
        "shared_preload_libraries": "'pg_stat_statements'",
        "log_min_duration_statement": f"{thresholds.SLOW_QUERY.count}ms",
        # Values of slow statements are users' data and sessions.
        "log_parameter_max_length": 0,
        "log_destination": "'stderr'",
        "log_timezone": "'UTC'",
        "timezone": "'UTC'",
        "password_encryption": "'scram-sha-256'",
        "unix_socket_directories": "'/run/postgresql'",
        # The kernel's shared memory in a pod is 64 MB unless a volume says otherwise; mmap has no such limit.
        "dynamic_shared_memory_type": "mmap",
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def postgres_args(context: Context) -> tuple[StatefulArgs, dict[str, dict[str, str]]]:
    """The StatefulSet's arguments and its ConfigMaps (name -> files).

    The server begins with its superuser alone; ``components/database.py`` makes the other roles and the database.
    """
    settings, secrets, spec = context.settings.postgres, context.settings.secrets, datastores.POSTGRES
    maps = {CONFIG_MAP: {"postgresql.conf": postgresql_conf(settings)}}
    mounts = [
        pods.config_files("config", CONFIG_MAP, f"{_CONFIG}/conf"),
        pods.secret_files("superuser", secrets.postgres_superuser, f"{_SECRETS}/superuser"),
        pods.scratch("run", "/run/postgresql"),
        pods.temporary(),
    ]
    ready = ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=postgres"]
    pod = container(
        spec,
        context.settings.image("postgres"),
        settings.resources,
        args=["postgres", "-c", f"config_file={_CONFIG}/conf/postgresql.conf"],
        env=pods.environment(
            {
                "POSTGRES_USER": "postgres",
                "POSTGRES_PASSWORD_FILE": f"{_SECRETS}/superuser/password",
                "PGDATA": f"{_DATA}/pgdata",
            }
        ),
        mounts=[data_mount(_DATA), *(mount.mount for mount in mounts)],
        # Recovery after a crash can take minutes; it must not be cut short by a restart.
        startup=pods.command_probe(ready, period=5, failures=120),
        readiness=pods.command_probe(ready, period=10, failures=3),
        liveness=pods.tcp_probe(spec.name, period=20, failures=6),
    )
    args = StatefulArgs(
        spec=spec,
        section=Section.CONNECTION_POOL,
        replicas=1,
        container=pod,
        mounts=mounts,
        config=maps[CONFIG_MAP],
        volume_size=settings.volume_size,
        grace_seconds=120,
    )
    return args, maps


class Postgres(StatefulDatastore):
    """PostgreSQL."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        args, maps = postgres_args(context)
        super().__init__("crypto:datastore:Postgres", name, args, context, maps, opts)
