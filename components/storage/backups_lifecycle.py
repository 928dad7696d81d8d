"""When backups end by themselves (section 5.1)."""

from __future__ import annotations

from components.storage.bucket import LifecycleRule, abort_incomplete_uploads, expire
from runbook.bucket import BACKUP_KINDS
from runbook.settings import BackupSettings


def lifecycle_rules(backup: BackupSettings) -> list[LifecycleRule]:
    """Backups end with the retention, old versions as much later, and broken uploads after a week.

    Tickets, reviews and the reports of drills lie under the same prefix and stay.
    """
    ended = [expire(f"expire-{kind}", f"{backup.prefix}{kind}/", backup.retention_days) for kind in BACKUP_KINDS]
    return [*ended, abort_incomplete_uploads()]
