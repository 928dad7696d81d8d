"""A PostgreSQL backup restored into a throwaway server: what proves it, and what `ops drill` times."""

from __future__ import annotations

from pathlib import Path

from runbook import scratch as scratch_servers
from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.backup import rebuild, scratch_postgres
from scripts.backup.manifest import PostgresManifest
from scripts.backup.result import Result
from scripts.backup.transfer import Stored
from scripts.clients import pgtools
from scripts.clients.s3 import Bucket


def run(settings: OpsSettings, bucket: Bucket, manifest: PostgresManifest, scratch: Path | None) -> Result:
    """Build it anew on an empty server of its own version and compare everything; the production server has no part."""
    stored = Stored(bucket, settings.backup, manifest)
    program = pgtools.find("pg_restore", manifest.server_major)
    folder = None if scratch is None else scratch / scratch_servers.POSTGRES
    with scratch_postgres.server(folder, manifest.server_major, manifest.database_bytes) as access:
        log.info("trying the backup", id=manifest.id, server=access.host)
        facts, bare = manifest.database, manifest.surroundings is None
        if bare:
            facts = facts.model_copy(update={"owner": access.user})
        with rebuild.rebuilt(access, manifest, stored, program, facts, "nothing was touched", bare=bare) as done:
            without = ", without owners and rights" if bare else ""
            method = f"rebuilt on an empty server of PostgreSQL {manifest.server_major}{without}"
            return Result(method, done.counts, done.compared)
