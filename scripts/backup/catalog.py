"""The backups in the bucket: which there are, and which one is meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, Generic, Self

from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.backup import keys, manifest, proof, shrinkage, signing
from scripts.backup.keys import BackupId
from scripts.backup.manifest import AnyManifest, Manifest
from scripts.backup.proof import Acceptance, Proof, Shrunk
from scripts.backup.signing import ForgedError, UnsignedError
from scripts.clients.s3 import Bucket, NotFoundError
from scripts.exits import CheckFailedError, OpsError, UsageError

READERS: Final = 8

# Python takes any sign between day and time, a line's end too.
_TIME: Final = re.compile(r"[0-9W-]+[T ][0-9:.,]+(?:Z|[+-][0-9:.]+)?")


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
        moment = datetime.fromisoformat(text if _TIME.fullmatch(text) else "")
    except ValueError:
        raise UsageError(f"{text!r} is no time; write it like 2026-03-01T02:30:00Z") from None
    if moment.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone; write it like 2026-03-01T02:30:00Z or 2026-03-01T02:30:00+01:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{text!r} is beyond the years 1 to 9999") from None


@dataclass(frozen=True, slots=True)
class Verified(Generic[AnyManifest]):
    """A backup that a verification has proven, now or once, and the acceptance of a person if there is one."""

    manifest: AnyManifest
    proof: Proof
    acceptance: Acceptance | None

    @property
    def proven(self) -> bool:
        return self.proof.holds

    @property
    def shrunk(self) -> Shrunk | None:
        """How far it fell, until a person accepts that."""
        return None if self.acceptance is not None else self.proof.shrunk

    @property
    def counts(self) -> bool:
        """Whether it supersedes what is older: it is proven, and it has not shrunk or a person accepts that."""
        return self.proven and self.shrunk is None


class Catalog(Generic[AnyManifest]):
    """The backups of a kind in a bucket."""

    def __init__(self, bucket: Bucket, settings: OpsSettings, model: type[AnyManifest]) -> None:
        self._bucket = bucket
        self._prefix = settings.backup.prefix
        self._model = model
        self.kind = model.folder
        # The public keys that sign the manifests of the kind and those that sign its proofs; none where none are set.
        self.trusted = signing.trusted(settings.backup, self.kind, keys.VERIFIER)

    def etags(self) -> dict[str, str]:
        """Every key of the kind, of complete backups and of others, with its ETag."""
        return self._bucket.etags(keys.folder(self._prefix, self.kind))

    def ids(self, present: Iterable[str] | None = None) -> list[BackupId]:
        """The complete backups among the keys that are ``present`` (default: in the bucket now), newest first."""
        return keys.ids(self.etags() if present is None else present, self._prefix, self.kind)

    @property
    def index_key(self) -> str:
        """Where the index of the kind lies."""
        return f"{keys.folder(self._prefix, self.kind)}{keys.INDEX}"

    def key(self, backup: BackupId, name: str) -> str:
        return keys.key(self._prefix, self.kind, backup, name)

    def manifest(self, backup: BackupId, *, unsigned: bool = False) -> AnyManifest:
        """The manifest of a backup; with ``unsigned`` one without a signature is good enough.

        Raises:
            UsageError: there is no such backup, or a newer release wrote it.
            UnsignedError: it has no signature, and the settings say who signs.
            CheckFailedError: it is damaged, or its signature does not hold.
        """
        return self._authentic(self.read(backup), unsigned=unsigned)

    def _authentic(self, found: AnyManifest, *, unsigned: bool) -> AnyManifest:
        if self.is_signed(found):
            return found
        if not unsigned:
            raise UnsignedError(
                f"backup {found.id} of {self.kind} is not signed: an older release made it, or an attacker who can "
                "write into the bucket; give --unsigned if you know where it is from, or choose another with --id"
            )
        log.warning("the backup is not signed: nothing shows who made it", kind=self.kind, id=found.id)
        return found

    def is_signed(self, found: Manifest) -> bool:
        """Whether a manifest that was read here is signed, or need not be."""
        return not self.trusted or found.signature is not None

    def read(self, backup: BackupId) -> AnyManifest:
        """The manifest of a backup, signed or not.

        Raises:
            UsageError: there is no such backup, or a newer release wrote it.
            CheckFailedError: it is damaged, or its signature does not hold.
        """
        key = self.key(backup, keys.MANIFEST)
        try:
            content = self._bucket.read(key)
        except NotFoundError:
            raise UsageError(
                f"there is no backup {backup} in s3://{self._bucket.name}/{self._prefix} (see: ops backups list)"
            ) from None
        found = manifest.parse(content, f"manifest {key}", self._model)
        if self.trusted and found.signature is not None:
            reason = signing.problem(content, key, self.trusted[self.kind])
            if reason is not None:
                raise ForgedError(f"manifest {key} is forged: {reason}; choose another backup with --id")
        if found.id != str(backup):
            raise CheckFailedError(
                f"manifest {key} is damaged: it is of backup {found.id}; choose another backup with --id"
            )
        return found

    def record(self, found: AnyManifest, present: Container[str] | None = None) -> Verified[AnyManifest] | None:
        """What a verification wrote down about a backup; None where none did about the object that it has now.

        ``present`` has the keys that are in the bucket, where they are known: a request for each other one is spared.
        """
        told = self.proof(found.backup, present)
        if told is None or not told.is_of(found):
            return None
        # Only what has shrunk can be accepted.
        return Verified(found, told, None if told.shrunk is None else self._acceptance(found, present))

    def proof(self, backup: BackupId, present: Container[str] | None = None) -> Proof | None:
        """The proof of a backup, also one of an object that it no longer has; None where the verifier wrote none."""
        content = self._beside(backup, keys.PROOF, present)
        told = None if content is None else proof.parse(content, Proof)
        if content is None or told is None or not self.trusted:
            return told
        reason = signing.problem(content, self.key(backup, keys.PROOF), self.trusted[keys.VERIFIER])
        if reason is None:
            return told
        log.warning("a proof is left out", kind=self.kind, id=str(backup), reason=reason)
        return None

    def _acceptance(self, found: AnyManifest, present: Container[str] | None) -> Acceptance | None:
        content = self._beside(found.backup, keys.ACCEPTED, present)
        told = None if content is None else proof.parse(content, Acceptance)
        return told if told is not None and told.is_of(found) else None

    def verified(self, present: Collection[str] | None = None) -> Iterator[Verified[AnyManifest]]:
        """What has a proof, also one that no longer holds, newest first. It is read as it is asked for.

        A backup whose manifest cannot be read is left out.
        """
        present = self.etags() if present is None else present
        found = [backup for backup in self.ids(present) if self.key(backup, keys.PROOF) in present]
        # Nearly always the first is the one that is sought; where it is not, the others are read side by side.
        for start, count in ((0, 1), *((at, READERS) for at in range(1, len(found), READERS))):
            with ThreadPoolExecutor(count) as pool:
                read = pool.map(partial(self._verified, present), found[start : start + count])
            yield from (each for each in read if each is not None)

    def _verified(self, present: Container[str], backup: BackupId) -> Verified[AnyManifest] | None:
        try:
            # Where the manifest is not signed, the proof that names it is.
            return self.record(self.read(backup), present)
        except (CheckFailedError, UsageError) as error:
            log.warning("a backup is left out", id=str(backup), reason=str(error))
            return None

    def newest_proven(self, present: Collection[str] | None = None) -> Verified[AnyManifest] | None:
        """The newest backup that was restored and compared; None where none was."""
        return next((each for each in self.verified(present) if each.proven), None)

    def newest_that_counts(self, present: Collection[str] | None = None) -> Verified[AnyManifest] | None:
        """The newest backup that supersedes what is older; None where none does."""
        return next((each for each in self.verified(present) if each.counts), None)

    def choose(self, selection: Selection, *, unsigned: bool = False) -> AnyManifest:
        """The backup that is meant; that it has shrunk is said before anybody decides on it.

        A manifest that is damaged or not signed is an error and never a reason to take an older backup in silence.

        Raises:
            UsageError: there is none.
            UnsignedError: its manifest has no signature, and ``unsigned`` does not say that this is good enough.
            CheckFailedError: its manifest is damaged, or its signature does not hold.
        """
        # By an id nothing is listed, and the proof is asked for.
        present = self.etags() if selection.id is None else None
        chosen = self._authentic(self._chosen(selection, present or {}), unsigned=unsigned)
        try:
            record = self.record(chosen, present)
        except OpsError as error:
            # The restore does not need it.
            log.warning("the proof of the backup cannot be read", id=chosen.id, reason=str(error))
            return chosen
        if record is not None and record.shrunk is not None:
            log.warning(f"backup {chosen.id} {shrinkage.told(chosen.id, record.shrunk, chosen.unit)}")
        return chosen

    def _chosen(self, selection: Selection, present: Collection[str]) -> AnyManifest:
        if selection.id is not None:
            return self.read(selection.id)
        where = f"s3://{self._bucket.name}/{keys.folder(self._prefix, self.kind)}"
        found = self.ids(present)
        if not found:
            raise UsageError(f"there is no backup in {where}")
        at = selection.at
        if at is None:
            return self.read(found[0])
        # The id's time is the start of the run; what a backup brings back is its snapshot's moment.
        for backup in (backup for backup in found if backup.time <= at):
            candidate = self.read(backup)
            if candidate.snapshot_at <= at:
                return candidate
        raise UsageError(f"no backup in {where} is as old as {at:%Y-%m-%dT%H:%M:%SZ}; the oldest is {found[-1]}")

    def _beside(self, backup: BackupId, name: str, present: Container[str] | None) -> bytes | None:
        key = self.key(backup, name)
        if present is not None and key not in present:
            return None
        try:
            return self._bucket.read(key)
        except NotFoundError:
            return None
