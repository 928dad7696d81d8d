"""``ops backup``."""

from __future__ import annotations

from runbook.ops_settings import OpsSettings
from scripts import frame
from scripts.backup import postgres_backup, redis_backup, resources_backup
from scripts.frame import DryRun
from scripts.output import Outcome

app = frame.app("Save data into the backup bucket.")


@frame.command(app, "backup postgres", "--deadline 3600 --json")
def postgres(settings: OpsSettings, dry_run: DryRun = False) -> Outcome:
    """Stream a dump of the database into the bucket; it exists only once it is complete."""
    return postgres_backup.run(settings, dry_run=dry_run)


@frame.command(app, "backup redis", "--deadline 3600 --json")
def redis(settings: OpsSettings, dry_run: DryRun = False) -> Outcome:
    """Stream a snapshot of Redis into the bucket, by the replication protocol and without touching its volume."""
    return redis_backup.run(settings, dry_run=dry_run)


@frame.command(app, "backup resources", "--deadline 600 --json")
def resources(settings: OpsSettings, dry_run: DryRun = False) -> Outcome:
    """Save every object of the namespace that may be listed; Secrets only where backups are encrypted."""
    return resources_backup.run(settings, dry_run=dry_run)
