"""The newest backup's age."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from runbook import practices
from runbook.ops_settings import OpsSettings
from scripts.backup.units import duration
from scripts.health.model import Check, Finding, Status


def checks(settings: OpsSettings) -> list[Check]:
    """One check."""
    return [Check("backup", partial(_look, settings))]


def _look(settings: OpsSettings, timeout: float) -> Sequence[Finding]:
    from scripts.backup.catalog import Catalog
    from scripts.backup.manifest import PostgresManifest, age_seconds
    from scripts.clients.s3 import Bucket

    catalog = Catalog(Bucket(settings.backup, seconds=timeout), settings, PostgresManifest)
    found = catalog.ids()
    limit = practices.BACKUP_AGE.value
    threshold = f"<= {duration(limit)}"
    if not found:
        return [Finding("backup", Status.WARN, "no backup yet", threshold, f"s3://{settings.backup.bucket}")]
    # The manifest is read, not only its name: an unreadable one restores nothing.
    newest = catalog.manifest(found[0])
    age = age_seconds(newest, datetime.now(UTC))
    status = Status.OK if age <= limit else Status.FAIL
    return [Finding("backup", status, duration(age), threshold, newest.id)]
