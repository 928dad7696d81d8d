"""A PostgreSQL backup restored into a throwaway server: what proves it, and what `ops drill` times."""

from __future__ import annotations

from pathlib import Path

from runbook import scratch as scratch_servers
from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.backup import rebuild, scratch_postgres
from scripts.backup.manifest import PostgresManifest
from scripts.backup.result import Result
from scripts.backup.source import DamagedError
from scripts.backup.transfer import Stored
from scripts.clients import pgtools
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, UsageError


def run(settings: OpsSettings, bucket: Bucket, manifest: PostgresManifest, scratch: Path | None) -> Result:
    """Build it anew on an empty server of its own version and compare everything; the production server has no part.

    Raises:
        CheckFailedError: something is not as it was saved.
        UsageError: the same on an older release of that version, which proves nothing against the backup.
    """
    stored = Stored(bucket, settings.backup, manifest)
    program = pgtools.find("pg_restore", manifest.server_major)
    folder = None if scratch is None else scratch / scratch_servers.POSTGRES
    with scratch_postgres.server(folder, manifest.server_major, manifest.database_bytes) as access:
        log.info("trying the backup", id=manifest.id, server=access.host)
        facts, bare = manifest.database, manifest.surroundings is None
        if bare:
            facts = facts.model_copy(update={"owner": access.user})
        try:
            with rebuild.rebuilt(access, manifest, stored, program, facts, "nothing was touched", bare=bare) as done:
                without = ", without owners and rights" if bare else ""
                method = f"rebuilt on an empty server of PostgreSQL {manifest.server_major}{without}"
                return Result(method, done.counts, done.compared)
        except DamagedError:
            raise
        except CheckFailedError as error:
            here, there = scratch_postgres.version(access), manifest.server_version.split()[0]
            if not _is_older(here, there):
                raise
            raise UsageError(
                f"{error}; this throwaway server is PostgreSQL {here} and the backup is of {there}: "
                "install that release, or start a job of the CronJob backup-verify, which has it"
            ) from None


def _is_older(here: str, there: str) -> bool:
    """Whether a release like 15.18 is older than another."""
    numbers = [[int(part) for part in release.split(".") if part.isdigit()] for release in (here, there)]
    return numbers[0] < numbers[1]
