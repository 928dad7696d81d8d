"""A PostgreSQL backup restored into a scratch database, which is dropped whatever comes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.backup import fresh, lock
from scripts.backup.fill import fill
from scripts.backup.manifest import PostgresManifest
from scripts.backup.postgres_restore import administration, program_for, prove
from scripts.backup.transfer import Stored
from scripts.clients.postgres import Access
from scripts.clients.s3 import Bucket


def run(
    settings: OpsSettings, bucket: Bucket, manifest: PostgresManifest, scratch: Path | None
) -> tuple[str, Mapping[str, int]]:
    """Restore into ``<database>_verify_<8 hexadecimal digits>`` on the configured server, and count.

    What a killed run left behind is dropped first.
    """
    access = Access.of(settings.postgres, settings.postgres.superuser)
    database = settings.postgres.database
    stored = Stored(bucket, settings.backup, manifest)
    with administration(access) as admin, lock.held(access, database, lock.Purpose.VERIFY):
        program = program_for(admin, manifest)
        fresh.drop_stale(admin, database, "verify")
        owner = settings.postgres.owner.user
        with fresh.created(admin, database, manifest.database, owner, "verify") as name:
            log.info("trying the backup", id=manifest.id, database=name)
            fill(stored, program, access, name)
            counts = prove(access, name, manifest, f"{name} is dropped")
        return f"restored into a database of PostgreSQL {admin.info.parameter_status('server_version')}", counts
