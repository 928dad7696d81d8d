"""A restore into a scratch place that is gone afterwards: what proves a backup, in a verification and in a drill."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from runbook.ops_settings import OpsSettings
from scripts.backup import postgres_trial, redis_trial, resources_trial
from scripts.backup.catalog import Catalog
from scripts.backup.keys import BackupId
from scripts.backup.manifest import MODELS, Manifest, PostgresManifest, RedisManifest, ResourcesManifest
from scripts.backup.result import Result
from scripts.clients.s3 import Bucket
from scripts.exits import UsageError


def run(
    settings: OpsSettings, bucket: Bucket, manifest: Manifest, scratch: Path | None, *, cluster: bool = False
) -> Result:
    """Restore a backup into a throwaway server and compare what came back with its manifest.

    ``scratch`` is the folder in which throwaway servers listen already: ``postgres`` with the socket of a PostgreSQL,
    ``redis/redis.sock``. Without it, programs that are installed here are started. With ``cluster`` the API server
    judges each object of a resource backup, where the account may.

    Raises:
        CheckFailedError: the object is damaged, or what came back is not what the manifest says.
        UsageError: it is encrypted and there is no key, or a login is not as it must be.
        TemporaryError: something does not answer, or another trial is running.
    """
    clock = time.monotonic()
    match manifest:
        case PostgresManifest():
            result = postgres_trial.run(settings, bucket, manifest, scratch)
        case RedisManifest():
            result = redis_trial.run(settings, bucket, manifest, scratch)
        case ResourcesManifest():
            result = resources_trial.run(settings, bucket, manifest, cluster=cluster)
        case _:
            raise UsageError(f"backup {manifest.id} is of a kind that this release of ops cannot try")
    return replace(result, seconds=round(time.monotonic() - clock, 3))


def holding(catalogs: Iterable[Catalog[Manifest]], backup: BackupId) -> Catalog[Manifest]:
    """The catalogue that has the backup.

    Raises:
        UsageError: none has.
    """
    for catalog in catalogs:
        if backup in catalog.ids():
            return catalog
    raise UsageError(f"there is no backup {backup} (see: ops backups list)")


def catalogs(settings: OpsSettings, bucket: Bucket) -> dict[str, Catalog[Manifest]]:
    """The catalogue of each kind."""
    return {model.folder: Catalog(bucket, settings, model) for model in MODELS}
