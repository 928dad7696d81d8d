"""The backups in the bucket: which there are, and which one is meant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Self

from runbook.ops_settings import OpsSettings
from scripts.backup import keys, manifest, proof
from scripts.backup.keys import BackupId
from scripts.backup.manifest import AnyManifest, Manifest
from scripts.backup.proof import Proof
from scripts.clients.s3 import Bucket, NotFoundError
from scripts.exits import CheckFailedError, UsageError

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
    """A backup of the list: its manifest, or why that cannot be read, and its proof if it has one that holds."""

    kind: str
    id: BackupId
    manifest: Manifest | None
    problem: str | None
    proof: Proof | None = None

    @property
    def proven(self) -> bool:
        return self.proof is not None


class Catalog(Generic[AnyManifest]):
    """The backups of a kind in a bucket."""

    def __init__(self, bucket: Bucket, settings: OpsSettings, model: type[AnyManifest]) -> None:
        self._bucket = bucket
        self._prefix = settings.backup.prefix
        self._model = model
        self.kind = model.folder

    def all_keys(self) -> list[str]:
        """Every key of the kind, of complete backups and of others."""
        return self._bucket.keys(keys.folder(self._prefix, self.kind))

    def ids(self) -> list[BackupId]:
        """The complete backups, newest first."""
        return keys.ids(self.all_keys(), self._prefix, self.kind)

    def key(self, backup: BackupId, name: str) -> str:
        return keys.key(self._prefix, self.kind, backup, name)

    def manifest(self, backup: BackupId) -> AnyManifest:
        """The manifest of a backup.

        Raises:
            UsageError: there is no such backup, or a newer release wrote it.
            CheckFailedError: it is damaged.
        """
        key = self.key(backup, keys.MANIFEST)
        try:
            found = manifest.parse(self._bucket.read(key), f"manifest {key}", self._model)
        except NotFoundError:
            raise UsageError(
                f"there is no backup {backup} in s3://{self._bucket.name}/{self._prefix} (see: ops backups list)"
            ) from None
        if found.id != str(backup):
            raise CheckFailedError(
                f"manifest {key} is damaged: it is of backup {found.id}; choose another backup with --id"
            )
        return found

    def proof(self, found: Manifest) -> Proof | None:
        """The proof of a backup, None where there is none that holds."""
        try:
            told = proof.parse(self._bucket.read(self.key(found.backup, keys.PROOF)))
        except NotFoundError:
            return None
        return told if told is not None and told.holds(found) else None

    def entries(self) -> list[Entry]:
        """Every complete backup with its manifest and its proof, newest first."""
        names = self.all_keys()
        proven = {name for name in names if name.endswith(f"/{keys.PROOF}")}

        def entry(backup: BackupId) -> Entry:
            return self._entry(backup, has_proof=self.key(backup, keys.PROOF) in proven)

        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(entry, keys.ids(names, self._prefix, self.kind)))

    def newest_proven(self) -> AnyManifest | None:
        """The newest backup that was restored and compared; None where none was."""
        for entry in self.entries():
            if entry.proven:
                return self.manifest(entry.id)
        return None

    def choose(self, selection: Selection) -> AnyManifest:
        """The backup that is meant.

        A damaged manifest is an error and never a reason to take an older backup in silence.

        Raises:
            UsageError: there is none.
            CheckFailedError: its manifest is damaged.
        """
        if selection.id is not None:
            return self.manifest(selection.id)
        where = f"s3://{self._bucket.name}/{keys.folder(self._prefix, self.kind)}"
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

    def _entry(self, backup: BackupId, *, has_proof: bool) -> Entry:
        try:
            found = self.manifest(backup)
        except (CheckFailedError, UsageError) as error:
            return Entry(self.kind, backup, None, str(error))
        return Entry(self.kind, backup, found, None, self.proof(found) if has_proof else None)
