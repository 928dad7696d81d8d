"""``ops backups verify``: restores the newest backups into scratch places; only then is a backup proven.

What came back is compared with the backup before it: one that has shrunk is proven, told, and supersedes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts import log, redact
from scripts.backup import index, keys, proof, shrinkage, signing, trial
from scripts.backup.catalog import Catalog, Selection
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Manifest
from scripts.backup.proof import Shrunk
from scripts.backup.result import Result
from scripts.backup.signing import SigningKey, UnsignedError
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, Exit, OpsError, UsageError, worst
from scripts.output import Outcome, one_line, say


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it went with a kind: ``error`` None is a proven backup, ``backup`` None none to prove.

    ``shrunk`` is how far it fell and ``told`` what a person must know of that.
    """

    kind: str
    backup: str | None
    result: Result | None = None
    error: str | None = None
    code: Exit = Exit.DONE
    shrunk: Shrunk | None = None
    told: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """What a verification works with: ``signer`` signs its proofs, ``unsigned`` lets it take what is not signed."""

    settings: OpsSettings
    bucket: Bucket
    scratch: Path | None
    signer: SigningKey | None
    unsigned: bool


def run(
    settings: OpsSettings,
    *,
    kind: str | None = None,
    backup_id: str | None = None,
    scratch: Path | None = None,
    unsigned: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Prove the newest backup of every kind, of one ``kind``, or the one with that id; with ``unsigned`` also unsigned.

    Every kind is tried, whatever becomes of the others.

    Raises:
        UsageError: no such kind, no such backup, or none at all; or the signing key is not as it must be.
    """
    bucket = Bucket(settings.backup)
    found = _meant(trial.catalogs(settings, bucket), kind, backup_id)
    if dry_run:
        return _would(found)
    work = _Run(settings, bucket, scratch, signing.own_key(settings.backup, keys.VERIFIER), unsigned)
    verdicts = [_verify(work, catalog, backup) for catalog, backup in found]
    for catalog, backup in found:
        if backup is not None:
            index.keep(bucket, catalog, work.signer)
    return outcome(verdicts)


def _meant(
    catalogs: dict[str, Catalog[Manifest]], kind: str | None, backup_id: str | None
) -> list[tuple[Catalog[Manifest], BackupId | None]]:
    if kind is not None and kind not in catalogs:
        raise UsageError(f"--kind {kind} is no kind of backup: {', '.join(catalogs)}")
    asked = [catalog for name, catalog in catalogs.items() if kind in (None, name)]
    selection = Selection.parse(backup_id, None)
    if selection.id is not None:
        return [(trial.holding(asked, selection.id), selection.id)]
    newest = [(catalog, next(iter(catalog.ids()), None)) for catalog in asked]
    if all(backup is None for _, backup in newest):
        raise UsageError("there is no backup to verify (see: ops backups list)")
    return newest


def _verify(work: _Run, catalog: Catalog[Manifest], backup: BackupId | None) -> Verdict:
    if backup is None:
        return Verdict(catalog.kind, None)
    try:
        manifest = catalog.manifest(backup, unsigned=work.unsigned)
        result = trial.run(work.settings, work.bucket, manifest, work.scratch)
    except OpsError as error:
        if isinstance(error, CheckFailedError) and not isinstance(error, UnsignedError):
            _revoke(work, catalog, backup, str(error))
        return _failed(catalog, backup, error)
    try:
        shrunk, accepted = _shrunk(work.settings, catalog, manifest, result.counts)
        told = proof.of(manifest, result.method, result.seconds, result.counts, result.digests, shrunk)
        key = catalog.key(backup, keys.PROOF)
        work.bucket.replace_json(key, told.text(key, work.signer))
    except OpsError as error:
        return _failed(catalog, backup, error)
    log.info("backup proven", kind=catalog.kind, id=str(backup), seconds=result.seconds)
    if shrunk is None or accepted:
        return Verdict(catalog.kind, str(backup), result)
    words = shrinkage.told(manifest.id, shrunk, manifest.unit)
    log.warning(f"backup {backup} {words}", kind=catalog.kind)
    return Verdict(catalog.kind, str(backup), result, shrunk=shrunk, told=words)


def _shrunk(
    settings: OpsSettings, catalog: Catalog[Manifest], manifest: Manifest, counts: Mapping[str, int]
) -> tuple[Shrunk | None, bool]:
    """How far the backup fell, and whether a person accepts it.

    It is compared with the newest one before it that was ever proven and has not shrunk or is accepted. A proof that
    was taken back, or made by other checks, proves nothing and still says how much there was. Where there is none to
    compare with, an earlier proof of the backup goes on saying that it has shrunk.
    """
    present = catalog.etags()
    before = next(
        (each for each in catalog.verified(present) if each.manifest.backup < manifest.backup and each.shrunk is None),
        None,
    )
    earlier = catalog.record(manifest, present)
    if before is None:
        shrunk = None if earlier is None else earlier.proof.shrunk
    else:
        share = settings.backup.shrink_share
        shrunk = shrinkage.judge(manifest, counts, before.manifest, before.proof.counts, share)
    return shrunk, earlier is not None and earlier.acceptance is not None


def _failed(catalog: Catalog[Manifest], backup: BackupId, error: OpsError) -> Verdict:
    message = one_line(redact.clean(str(error)))
    log.error("backup not proven", kind=catalog.kind, id=str(backup), reason=message)
    return Verdict(catalog.kind, str(backup), None, message, error.code)


def _revoke(work: _Run, catalog: Catalog[Manifest], backup: BackupId, reason: str) -> None:
    """Take back an earlier proof: what was proven once can rot, and retention counts on it."""
    key, before = catalog.key(backup, keys.PROOF), catalog.proof(backup)
    if before is not None and before.revoked is None:
        after = before.model_copy(update={"revoked": one_line(redact.clean(reason))})
        work.bucket.replace_json(key, after.text(key, work.signer))
        log.warning("an earlier proof is taken back", key=key)


def _would(found: Sequence[tuple[Catalog[Manifest], BackupId | None]]) -> Outcome:
    meant = {catalog.kind: None if backup is None else str(backup) for catalog, backup in found}
    lines = (
        f"Would restore {name} into a scratch place." if name else f"No {kind} backup yet."
        for kind, name in meant.items()
    )
    return Outcome({"dry_run": True, "backups": meant}, say(*lines))


def outcome(verdicts: Sequence[Verdict]) -> Outcome:
    """What became of each kind; the code is that of the worst."""
    data: dict[str, object] = {"backups": [_plain(verdict) for verdict in verdicts]}
    if errors := [f"{verdict.kind}: {verdict.error}" for verdict in verdicts if verdict.error]:
        data["error"] = "; ".join(errors)
    return Outcome(data, say(*map(_line, verdicts)), worst(verdict.code for verdict in verdicts))


def _line(verdict: Verdict) -> str:
    if verdict.backup is None:
        return f"{verdict.kind}: no backup yet"
    if verdict.result is None:
        return f"{verdict.kind}: {verdict.backup} is NOT proven: {verdict.error}"
    total = sum(verdict.result.counts.values())
    return (
        f"{verdict.kind}: {verdict.backup} is proven: {verdict.result.method}, "
        f"{total:,} counted, in {duration(verdict.result.seconds)}"
        f"{f'. It {verdict.told}' if verdict.told else ''}"
    )


def _plain(verdict: Verdict) -> dict[str, object]:
    data: dict[str, object] = {"kind": verdict.kind, "id": verdict.backup, "proven": verdict.result is not None}
    if verdict.result is not None:
        data |= {
            "method": verdict.result.method,
            "total": sum(verdict.result.counts.values()),
            "seconds": verdict.result.seconds,
            "shrunk": None if verdict.shrunk is None else verdict.shrunk.model_dump(),
        }
    if verdict.error is not None:
        data["error"] = verdict.error
    return data
