"""``ops restore resources``: server-side apply of every saved object, in the order in which they need one another."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts import log
from scripts.backup import resources_content
from scripts.backup.catalog import Catalog, Selection
from scripts.backup.manifest import ResourcesManifest
from scripts.backup.resources_content import Saved
from scripts.backup.transfer import Stored
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, Exit, OpsError, UsageError
from scripts.output import Outcome, confirm, say

MANAGER: Final = "ops-restore"
_SECONDS: Final = 30.0
# What an answer says of one object: a quota, a webhook or the size of a request refuse it alone.
_OF_ONE_OBJECT: Final = (
    CheckFailedError,
    kubernetes.ForbiddenError,
    kubernetes.ConflictError,
    kubernetes.ServerError,
)


@dataclass(slots=True)
class Applied:
    """What became of the objects: applied by kind, skipped by reason, and the error of what is refused by label."""

    done: Counter[str] = field(default_factory=Counter[str])
    skipped: Counter[str] = field(default_factory=Counter[str])
    failed: dict[str, OpsError] = field(default_factory=dict[str, OpsError])


def run(settings: OpsSettings, selection: Selection, *, unsigned: bool, confirmed: bool, dry_run: bool) -> Outcome:
    """Apply a backup; exit 1 where the server refused an object. Running it again changes nothing more.

    Raises:
        UsageError: no such backup, no cluster, no right to apply, or nobody confirmed.
        CheckFailedError: the backup is damaged.
        TemporaryError: the API server does not answer.
    """
    bucket = Bucket(settings.backup)
    manifest = Catalog(bucket, settings, ResourcesManifest).choose(selection, unsigned=unsigned)
    stored = Stored(bucket, settings.backup, manifest)
    if manifest.namespace != settings.namespace:
        raise UsageError(
            f"backup {manifest.id} is of namespace {manifest.namespace}, not of {settings.namespace}; "
            "choose another with --id"
        )
    stored.verify()
    objects = resources_content.read(stored, manifest)
    if not dry_run and not confirmed:
        _confirm(manifest)
    clock = time.monotonic()
    with kubernetes.connect(_SECONDS) as cluster:
        applied = apply(cluster, manifest.namespace, objects, dry_run=dry_run)
    log.info("restore complete", id=manifest.id, applied=applied.done.total(), failed=len(applied.failed))
    return _outcome(manifest, applied, time.monotonic() - clock, dry_run=dry_run)


def apply(cluster: Cluster, namespace: str, objects: Sequence[Saved], *, dry_run: bool) -> Applied:
    """Apply all objects; what the server refuses stops none of the others.

    Raises:
        ForbiddenError: the account may apply none of them, or its login has expired meanwhile.
        TemporaryError: the API server does not answer.
    """
    applied = Applied()
    if not dry_run:
        _namespace(cluster, namespace)
    for saved in objects:
        if reason := saved.skipped:
            applied.skipped[reason] += 1
            continue
        try:
            body = resources_content.applicable(saved)
            cluster.apply(saved.path, body, manager=MANAGER, dry_run=dry_run)
            applied.done[saved.kind] += 1
        except kubernetes.LoginError as error:
            done = applied.done.total()
            raise kubernetes.LoginError(f"{error}; {done} objects are applied: log in anew, run it again") from None
        except _OF_ONE_OBJECT as error:
            log.warning("not applied", object=saved.label, reason=str(error))
            applied.failed[saved.label] = error
    errors = list(applied.failed.values())
    if errors and not applied.done and all(isinstance(error, kubernetes.ForbiddenError) for error in errors):
        raise errors[0]
    return applied


def _namespace(cluster: Cluster, name: str) -> None:
    """Make the namespace where it is missing. Its labels are the stack's own and not touched where it exists."""
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(f"/api/v1/namespaces/{name}", body, manager=MANAGER)


def _confirm(manifest: ResourcesManifest) -> None:
    what = f"{manifest.total} objects to namespace {manifest.namespace}"
    confirm(f"applies {what}", f"Apply {what}, as they were at {manifest.snapshot_at:%Y-%m-%d %H:%M:%S %Z}?")


def _outcome(manifest: ResourcesManifest, applied: Applied, seconds: float, *, dry_run: bool) -> Outcome:
    data: dict[str, object] = {
        "dry_run": dry_run,
        "id": manifest.id,
        "namespace": manifest.namespace,
        "applied": dict(applied.done),
        "skipped": dict(applied.skipped),
        "failed": {label: str(error) for label, error in applied.failed.items()},
        "secrets": manifest.secrets,
        "seconds": round(seconds, 3),
    }
    if applied.failed:
        data["error"] = f"{len(applied.failed)} objects were refused: {', '.join(list(applied.failed)[:5])}"

    word = "Would apply" if dry_run else "Applied"
    lines = [
        f"{word} {applied.done.total():,} objects of backup {manifest.id} in {duration(seconds)}",
        *(f"  {count} left alone: {reason}" for reason, count in applied.skipped.items()),
        *(f"  refused {label}: {why}" for label, why in applied.failed.items()),
    ]
    if not manifest.secrets:
        lines.append("  Secrets are not in this backup: bring them back from where they are kept.")
    return Outcome(data, say(*lines), Exit.FAILED if applied.failed else Exit.DONE)
