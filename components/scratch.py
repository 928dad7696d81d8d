"""Throwaway servers beside a job: containers that run the datastores' images on a volume that ends with the pod."""

from __future__ import annotations

import shlex
from typing import Final

from pulumi_kubernetes import core, meta

from components import claims, pods
from components.context import Context
from components.labels import labels
from runbook import capacity, datastores, scratch
from runbook.datastores import DatastoreSpec
from runbook.settings import Resources
from runbook.units import to_bytes

_VOLUME: Final = "scratch"
# The webhook of EKS gives every container of a pod the role's token: these two have no use for it.
ANNOTATIONS: Final = {"eks.amazonaws.com/skip-containers": f"{scratch.POSTGRES},{scratch.REDIS}"}


def mount(name: str, context: Context) -> pods.Mount:
    """The volume of both in the pods of a job: a claim, because a large backup would fill the disk of the node."""
    size = context.settings.postgres.volume_size
    template = core.v1.PersistentVolumeClaimTemplateArgs(
        metadata=meta.v1.ObjectMetaArgs(labels=labels(name, context.settings.owner, "operations")),
        spec=claims.spec(size, context),
    )
    return pods.Mount(
        core.v1.VolumeArgs(name=_VOLUME, ephemeral=core.v1.EphemeralVolumeSourceArgs(volume_claim_template=template)),
        core.v1.VolumeMountArgs(name=_VOLUME, mount_path=scratch.FOLDER),
    )


def containers(context: Context) -> list[core.v1.ContainerArgs]:
    """The servers, ready before the job begins and ended after it."""
    settings = context.settings
    redis = capacity.scratch_redis(settings)
    return [
        _server(datastores.POSTGRES, context, capacity.scratch_postgres(settings), _postgres(), _postgres_ready()),
        _server(datastores.REDIS, context, redis, _redis(redis), _redis_ready()),
    ]


def _server(
    spec: DatastoreSpec, context: Context, resources: Resources, command: str, ready: list[str]
) -> core.v1.ContainerArgs:
    security = pods.container_security()
    security.run_as_user = spec.user_id
    return core.v1.ContainerArgs(
        name=spec.name,
        image=context.settings.image(spec.name),
        command=["sh", "-ec", command],
        # Kubernetes starts it before the job, and ends it after.
        restart_policy="Always",
        resources=pods.requirements(resources),
        security_context=security,
        startup_probe=pods.command_probe(ready, period=1, failures=120),
        volume_mounts=[core.v1.VolumeMountArgs(name=_VOLUME, mount_path=scratch.FOLDER)],
    )


def _postgres() -> str:
    folder = f"{scratch.FOLDER}/{scratch.POSTGRES}"
    settings = {**scratch.POSTGRES_SETTINGS, "unix_socket_directories": folder}
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    initdb = f"initdb --pgdata={folder}/data --username={scratch.POSTGRES_SUPERUSER} --auth=trust --no-sync"
    # What a container that was started again has left is as worthless as all of it.
    return (
        f"rm -rf {folder}; mkdir -p {folder}; {initdb} --encoding=UTF8 --locale=C.UTF-8; "
        f"exec postgres -D {folder}/data -p {scratch.POSTGRES_PORT} {options}"
    )


def _postgres_ready() -> list[str]:
    folder = f"{scratch.FOLDER}/{scratch.POSTGRES}"
    return ["pg_isready", "--quiet", f"--host={folder}", f"--username={scratch.POSTGRES_SUPERUSER}"]


def _redis(resources: Resources) -> str:
    folder = f"{scratch.FOLDER}/{scratch.REDIS}"
    settings = {
        **scratch.REDIS_SETTINGS,
        # A job asks for it before it loads: more would be an OOM kill.
        "maxmemory": str(to_bytes(resources.memory_limit)),
        "dir": folder,
        "unixsocket": f"{folder}/{scratch.REDIS_SOCKET}",
    }
    options = " ".join(f"--{name} {shlex.quote(value)}" for name, value in settings.items())
    # The job writes the snapshot into this folder, as another user of the pod's group.
    return f"umask 0002; mkdir -p {folder}; rm -f {folder}/*; exec redis-server {options}"


def _redis_ready() -> list[str]:
    socket = f"{scratch.FOLDER}/{scratch.REDIS}/{scratch.REDIS_SOCKET}"
    return ["sh", "-c", f"redis-cli -s {socket} ping | grep -q PONG"]
