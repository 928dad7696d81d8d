"""When backups end by themselves (section 5.1)."""

from __future__ import annotations

from components.storage.bucket import LifecycleRule, abort_incomplete_uploads, end_old_versions, expire
from runbook.bucket import BACKUP_KINDS, SUPERSEDED_TAG, SUPERSEDED_VALUE
from runbook.settings import BackupSettings


def lifecycle_rules(backup: BackupSettings) -> list[LifecycleRule]:
    """Backups of which a newer one is proven end with the retention, old versions as much later, broken uploads soon.

    `ops backups prune` says which they are, S3 by its own clock how old they are: neither ends a backup alone, and the
    newest proven one has no age at which it goes. Tickets, reviews and the reports of drills stay.
    """
    superseded = {SUPERSEDED_TAG: SUPERSEDED_VALUE}
    days = backup.retention_days
    ended = [expire(f"expire-{kind}", f"{backup.prefix}{kind}/", days, superseded) for kind in BACKUP_KINDS]
    return [*ended, end_old_versions("", days), abort_incomplete_uploads()]
