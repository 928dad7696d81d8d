"""The backups in the bucket: which there are, and which one is meant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from runbook.ops_settings import OpsSettings
from scripts.backup import keys, manifest
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Manifest
from scripts.clients.s3 import Bucket, NotFoundError
from scripts.exits import CheckFailedError, OpsError, UsageError

_READERS = 8


@dataclass(frozen=True, slots=True)
class Selection:
    """Which backup is meant: an id, the newest of a time or before, or (neither) the newest."""

    id: BackupId | None = None
    at: datetime | None = None

    @classmethod
    def parse(cls, backup_id: str | None, at: str | None) -> Self:
        """From the command line.

        Raises:
            UsageError: both are given, or one is malformed.
        """
        if backup_id is not None and at is not None:
            raise UsageError("give --id or --at, not both")
        return cls(None if backup_id is None else BackupId.parse(backup_id), None if at is None else parse_time(at))


def parse_time(text: str) -> datetime:
    """A moment in ISO 8601 with its offset; without one it could be any of 24 hours.

    Raises:
        UsageError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time; write it like 2026-03-01T02:30:00Z") from None
    if moment.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone; write it like 2026-03-01T02:30:00Z or 2026-03-01T02:30:00+01:00")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """A backup of the list: its manifest, or why that cannot be read."""

    id: BackupId
    manifest: Manifest | None
    problem: str | None


class Catalog:
    """The PostgreSQL backups of a bucket."""

    def __init__(self, bucket: Bucket, settings: OpsSettings) -> None:
        self._bucket = bucket
        self._prefix = settings.backup.prefix

    def ids(self) -> list[BackupId]:
        """The complete backups, newest first."""
        return keys.ids(self._bucket.keys(keys.folder(self._prefix, keys.POSTGRES)), self._prefix, keys.POSTGRES)

    def key(self, backup: BackupId, name: str) -> str:
        return keys.key(self._prefix, keys.POSTGRES, backup, name)

    def manifest(self, backup: BackupId) -> Manifest:
        """The manifest of a backup.

        Raises:
            UsageError: there is no such backup, or a newer release wrote it.
            CheckFailedError: it is damaged.
        """
        key = self.key(backup, keys.MANIFEST)
        try:
            found = manifest.parse(self._bucket.read(key), f"manifest {key}")
        except NotFoundError:
            raise UsageError(
                f"there is no backup {backup} in s3://{self._bucket.name}/{self._prefix} (see: ops backups list)"
            ) from None
        if found.id != str(backup):
            raise CheckFailedError(
                f"manifest {key} is damaged: it is of backup {found.id}; choose another backup with --id"
            )
        return found

    def entries(self) -> list[Entry]:
        """Every complete backup with its manifest, newest first."""
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(self._entry, self.ids()))

    def choose(self, selection: Selection) -> Manifest:
        """The backup that is meant.

        A damaged manifest is an error and never a reason to take an older backup in silence.

        Raises:
            UsageError: there is none.
            CheckFailedError: its manifest is damaged.
        """
        if selection.id is not None:
            return self.manifest(selection.id)
        where = f"s3://{self._bucket.name}/{keys.folder(self._prefix, keys.POSTGRES)}"
        found = self.ids()
        if not found:
            raise UsageError(f"there is no backup in {where}")
        at = selection.at
        if at is None:
            return self.manifest(found[0])
        # The id's time is the start of the run; what a backup brings back is its snapshot's moment.
        for backup in (backup for backup in found if backup.time <= at):
            candidate = self.manifest(backup)
            if candidate.snapshot_at <= at:
                return candidate
        raise UsageError(f"no backup in {where} is as old as {at:%Y-%m-%dT%H:%M:%SZ}; the oldest is {found[-1]}")

    def _entry(self, backup: BackupId) -> Entry:
        try:
            return Entry(backup, self.manifest(backup), None)
        except (CheckFailedError, UsageError) as error:
            return Entry(backup, None, str(error))
        except OpsError:
            raise
