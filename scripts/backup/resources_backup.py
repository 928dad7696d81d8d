"""``ops backup resources``: every object of the namespace that may be listed, one a line.

Not `kubectl get all`, which leaves out what a restore needs first; and no Secret in plain text anywhere (defect 16).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from runbook import jobs
from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import log
from scripts.backup import keys, parts, transfer, upload
from scripts.backup.keys import BackupId
from scripts.backup.manifest import ResourceCount, ResourcesManifest
from scripts.backup.pipeline import CHUNK_BYTES
from scripts.backup.resources_content import Saved
from scripts.clients import discovery, kubernetes
from scripts.clients.discovery import Kind
from scripts.clients.kubernetes import Cluster, ForbiddenError
from scripts.clients.s3 import Bucket
from scripts.exits import Exit, OpsError
from scripts.output import Outcome, say

_SECONDS: Final = 30.0
# etcd holds 8 GiB at most, and a namespace a small part of it.
_EXPECTED_BYTES: Final = 2**30
_SECRETS: Final = Kind("", "v1", "secrets", "Secret")
# What the server adds to an object and nobody may give back to it.
_SERVERS_OWN: Final = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")

# Kinds that the job's Role names: to be refused one of these is a defect of the installation.
GRANTED: Final = frozenset(
    (right.api_group, resource) for right in jobs.BACKUP_RESOURCES.rights for resource in right.resources
)


@dataclass(slots=True)
class Found:
    """What was saved so far; ``refused`` is what could not be, by its label."""

    version: str
    kinds: list[ResourceCount] = field(default_factory=list[ResourceCount])
    refused: list[str] = field(default_factory=list[str])
    granted_refused: list[str] = field(default_factory=list[str])
    seen: set[str] = field(default_factory=set[str])


def run(settings: OpsSettings, *, dry_run: bool = False) -> Outcome:
    """Save the namespace. Exit 1 where a kind was refused that the job's Role grants; the rest is saved all the same.

    Raises:
        UsageError: no cluster, or the bucket is not as it must be.
        TemporaryError: the API server or the bucket does not answer. Nothing is visible.
    """
    bucket, prefix, signer = transfer.opened(settings.backup, keys.RESOURCES)
    with kubernetes.connect(_SECONDS) as cluster:
        found = Found(str(cluster.get("/version")["gitVersion"]))
        kinds = discovery.kinds(cluster, lambda name, error: _skipped(found, name, error))
        if dry_run:
            return _would(settings, kinds)
        started = bucket.now(prefix)
        upload.abort_stale(bucket, prefix, started - transfer.STALE)
        manifest = _transfer(settings, bucket, cluster, kinds, found, started)
    transfer.publish(bucket, settings.backup, manifest, signer)
    return _done(settings, manifest, found.granted_refused)


def _skipped(found: Found, name: str, error: OpsError) -> None:
    """A group that does not answer is left out and named, unless the job is there to save it."""
    if name.split("/", maxsplit=1)[0] in {group for group, _ in GRANTED}:
        raise error
    log.warning("an API group does not answer", group=name, reason=str(error))
    found.refused.append(name)


def _transfer(
    settings: OpsSettings, bucket: Bucket, cluster: Cluster, kinds: list[Kind], found: Found, started: datetime
) -> ResourcesManifest:
    clock = time.monotonic()
    backup, secrets = BackupId.new(started), settings.backup.public_key is not None
    wanted = [kind for kind in kinds if secrets or kind != _SECRETS]
    lines = _blocks(_lines(cluster, settings.namespace, wanted, found))
    package = transfer.store(bucket, settings.backup, keys.RESOURCES, backup, lines, parts.part_size(_EXPECTED_BYTES))
    seconds = round(time.monotonic() - clock, 3)
    return ResourcesManifest(
        **dict[str, Any](package),
        kind="resources",
        id=str(backup),
        namespace=settings.namespace,
        server_version=found.version,
        resources=tuple(found.kinds),
        refused=tuple(sorted(found.refused)),
        secrets=secrets and _SECRETS.label not in found.refused,
        started_at=started,
        # Each kind is listed at a moment of its own: the backup is as old as the first.
        snapshot_at=started,
        finished_at=started + timedelta(seconds=seconds),
        duration_seconds=seconds,
    )


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    count = 0
    for line in lines:
        held.append(line)
        count += len(line)
        if count >= CHUNK_BYTES:
            yield b"".join(held)
            held.clear()
            count = 0
    yield b"".join(held)


def _lines(cluster: Cluster, namespace: str, kinds: list[Kind], found: Found) -> Iterator[bytes]:
    for kind in kinds:
        objects = managed = 0
        try:
            for item in cluster.items(kind.path(namespace)):
                # Some kinds are served by two groups (events): one object is saved once.
                if item["metadata"]["uid"] in found.seen:
                    continue
                found.seen.add(item["metadata"]["uid"])
                owner = controller(item)
                saved = Saved(kind.plural, owner, bare(item, kind))
                objects, managed = objects + 1, managed + (saved.made_anew is not None)
                line = {"plural": saved.plural, "managedBy": saved.managed_by, "object": saved.content}
                yield json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        except ForbiddenError:
            found.refused.append(kind.label)
            if (kind.group, kind.plural) in GRANTED:
                found.granted_refused.append(kind.label)
            continue
        if objects:
            count = ResourceCount(api_version=kind.api_version, kind=kind.name, objects=objects, managed=managed)
            found.kinds.append(count)


def controller(item: Any) -> str | None:
    """Who makes the object anew when it is gone, as ``ReplicaSet/name``; None for one that somebody else made."""
    owners = item["metadata"].get("ownerReferences") or ()
    return next((f"{owner['kind']}/{owner['name']}" for owner in owners if owner.get("controller")), None)


def bare(item: Any, kind: Kind) -> dict[str, Any]:
    """An object without its status and without what only the server writes."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _SERVERS_OWN}
    rest = {key: value for key, value in item.items() if key not in ("metadata", "status", "apiVersion", "kind")}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **rest}


def _would(settings: OpsSettings, kinds: list[Kind]) -> Outcome:
    where = f"s3://{settings.backup.bucket}/{keys.folder(settings.backup.prefix, keys.RESOURCES)}"

    return Outcome(
        {"dry_run": True, "target": where, "kinds": sorted(kind.label for kind in kinds)},
        say(f"Would save {len(kinds)} kinds of namespace {settings.namespace}", f"into {where}. Nothing was written."),
    )


def _done(settings: OpsSettings, manifest: ResourcesManifest, granted_refused: list[str]) -> Outcome:
    secrets = "saved" if manifest.secrets else "left out: backups are not encrypted (backup.publicKey)"
    if settings.backup.public_key and not manifest.secrets:
        secrets = "left out: refused"
    data: dict[str, object] = {
        "id": manifest.id,
        "bucket": settings.backup.bucket,
        "namespace": manifest.namespace,
        "objects": manifest.total,
        "managed": sum(entry.managed for entry in manifest.resources),
        "kinds": dict(manifest.counts),
        "secrets": secrets,
        "refused": list(manifest.refused),
        "encrypted": manifest.encryption is not None,
        "stored_bytes": manifest.stored.bytes,
        "seconds": manifest.duration_seconds,
    }
    if granted_refused:
        data["error"] = f"the account may not list what its Role must grant: {', '.join(granted_refused)}"

    lines = [
        f"Backup {manifest.id} of namespace {manifest.namespace} is complete.",
        f"{manifest.total:,} objects of {len(manifest.resources)} kinds, {size(manifest.stored.bytes)}, in "
        f"{duration(manifest.duration_seconds)}; Secrets {secrets}",
    ]
    if manifest.refused:
        lines.append(f"Not permitted to list: {', '.join(manifest.refused)}")
    return Outcome(data, say(*lines), Exit.FAILED if granted_refused else Exit.DONE)
