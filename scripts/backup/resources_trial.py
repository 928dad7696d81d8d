"""A resource backup read whole, and judged by the API server where the account may ask it."""

from __future__ import annotations

from typing import Final

from runbook.ops_settings import OpsSettings
from scripts.backup import resources_content, resources_restore
from scripts.backup.manifest import ResourcesManifest, shortened
from scripts.backup.result import Result
from scripts.backup.transfer import Stored
from scripts.clients import kubernetes
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, UsageError

_SECONDS: Final = 30.0


def run(settings: OpsSettings, bucket: Bucket, manifest: ResourcesManifest, *, cluster: bool) -> Result:
    """Count every object; with ``cluster`` apply each as a server-side dry run, which changes nothing.

    Raises:
        CheckFailedError: the backup is damaged, or the server would refuse an object.
    """
    objects = resources_content.read(Stored(bucket, settings.backup, manifest), manifest)
    method, compared = "parsed", ("objects of each kind",)
    if cluster:
        try:
            with kubernetes.connect(_SECONDS) as server:
                applied = resources_restore.apply(server, manifest.namespace, objects, dry_run=True)
        except UsageError as error:
            # No cluster, or no right to apply: it is said and no failure.
            return Result(f"parsed; not judged by an API server: {error}", manifest.counts, compared)
        errors = list(applied.failed.values())
        forbidden = [error for error in errors if isinstance(error, kubernetes.ForbiddenError)]
        if len(forbidden) < len(errors):
            refused = [str(error) for error in errors if not isinstance(error, kubernetes.ForbiddenError)]
            raise CheckFailedError(f"backup {manifest.id}: {shortened(refused, 'objects')}")
        method = f"parsed, and {applied.done.total()} objects applied as a server-side dry run"
        if forbidden:
            method = f"{method}; {len(forbidden)} not judged: {forbidden[0]}"
    return Result(method, manifest.counts, compared)
