"""What the list says of every backup of a kind, kept in one object of the bucket.

Without it a list reads manifest and proof of each backup, one request each. Every entry names the ETags of the objects
that it was read from, and the listing of the bucket has those of now: an entry that does not fit is read anew, and so
are backups that it does not know. A verification writes it; who may only read goes without. It says what is shown and
never what is deleted: `ops backups prune` reads the proofs themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from pydantic import AwareDatetime

from scripts import log
from scripts.backup import keys, proof, signing
from scripts.backup.catalog import READERS, Catalog, Verified
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Manifest, PostgresManifest, age_seconds
from scripts.backup.proof import Shrunk
from scripts.backup.record import Record, Signature
from scripts.backup.signing import SigningKey
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, OpsError, UsageError

_READ_FROM: Final = (keys.MANIFEST, keys.PROOF, keys.ACCEPTED)


class Facts(Record):
    """A backup as the list shows it. ``total`` is in ``unit``; its age counts from ``aged_from``."""

    of: str
    snapshot_at: AwareDatetime
    aged_from: AwareDatetime
    unit: str
    total: int
    uncompressed_bytes: int
    stored_bytes: int
    encrypted: bool
    signed: bool
    seconds: float
    proven_at: AwareDatetime | None
    shrunk: Shrunk | None
    accepted_by: str | None
    accepted_at: AwareDatetime | None
    database: str | None
    tables: int | None
    server_version: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A backup of the list: its facts, or why its manifest cannot be read."""

    kind: str
    id: BackupId
    facts: Facts | None
    problem: str | None


class _Kept(Record):
    etags: Mapping[str, str]
    facts: Facts


class _Index(Record):
    """``checks`` are those by which a backup was called proven, ``trusted`` the public keys by which it is signed."""

    format_version: Literal[1] = 1
    checks: int
    trusted: Mapping[str, tuple[str, ...]] = {}
    signature: Signature | None = None
    backups: Mapping[str, _Kept]


def entries(bucket: Bucket, catalog: Catalog[Manifest], present: Mapping[str, str]) -> list[Entry]:
    """Every complete backup among the keys that are ``present``, newest first.

    Raises:
        TemporaryError: the bucket does not answer.
    """
    kept = _read(bucket, catalog)

    def one(backup: BackupId) -> Entry:
        known = kept.get(str(backup))
        if known is not None and known.etags == _etags(catalog, backup, present):
            return Entry(catalog.kind, backup, known.facts, None)
        return _entry(catalog, backup, present)

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(one, catalog.ids(present)))


def keep(bucket: Bucket, catalog: Catalog[Manifest], signer: SigningKey | None) -> None:
    """Write the index of a kind, signed. Nothing needs it: that it cannot be written is said and no error."""
    try:
        present = catalog.etags()
        backups = {
            str(entry.id): _Kept(etags=_etags(catalog, entry.id, present), facts=entry.facts)
            for entry in entries(bucket, catalog, present)
            if entry.facts is not None
        }
        index = _Index(checks=proof.CHECKS, trusted=catalog.trusted, backups=backups)
        plain = index.model_dump(mode="json", exclude={"signature"})
        signed = plain if signer is None else signer.signed(plain, catalog.index_key)
        text = json.dumps(signed, separators=(",", ":"), ensure_ascii=False)
        bucket.replace_json(catalog.index_key, text)
    except OpsError as error:
        log.warning("the index of the backups is not written", kind=catalog.kind, reason=str(error))


def _read(bucket: Bucket, catalog: Catalog[Manifest]) -> Mapping[str, _Kept]:
    try:
        content = bucket.read(catalog.index_key)
        index = _Index.model_validate(json.loads(content))
    except (CheckFailedError, UsageError, ValueError):
        # There is none yet, or one of another release; or the role may not read it. The backups say the same.
        return {}
    if (index.checks, index.trusted) != (proof.CHECKS, catalog.trusted):
        return {}
    if catalog.trusted and signing.problem(content, catalog.index_key, catalog.trusted[keys.VERIFIER]) is not None:
        return {}
    return index.backups


def _etags(catalog: Catalog[Manifest], backup: BackupId, present: Mapping[str, str]) -> dict[str, str]:
    found = {name: present.get(catalog.key(backup, name)) for name in _READ_FROM}
    return {name: etag for name, etag in found.items() if etag is not None}


def _entry(catalog: Catalog[Manifest], backup: BackupId, present: Mapping[str, str]) -> Entry:
    try:
        found = catalog.read(backup)
    except (CheckFailedError, UsageError) as error:
        return Entry(catalog.kind, backup, None, str(error))
    signed = bool(catalog.trusted) and found.signature is not None
    return Entry(catalog.kind, backup, facts(found, catalog.record(found, present), signed=signed), None)


def facts(found: Manifest, record: Verified[Manifest] | None, *, signed: bool) -> Facts:
    """What the list says of a backup by its manifest and by what a verification wrote down about it."""
    proven = record is not None and record.proven
    acceptance = None if record is None else record.acceptance
    of_postgres = found if isinstance(found, PostgresManifest) else None
    return Facts(
        of=found.subject,
        snapshot_at=found.snapshot_at,
        aged_from=found.finished_at - timedelta(seconds=age_seconds(found, found.finished_at)),
        unit=found.unit,
        total=found.total,
        uncompressed_bytes=found.uncompressed.bytes,
        stored_bytes=found.stored.bytes,
        encrypted=found.encryption is not None,
        signed=signed,
        seconds=found.duration_seconds,
        proven_at=record.proof.proven_at if record is not None and proven else None,
        shrunk=record.proof.shrunk if record is not None and proven else None,
        accepted_by=None if acceptance is None else acceptance.accepted_by,
        accepted_at=None if acceptance is None else acceptance.accepted_at,
        database=None if of_postgres is None else of_postgres.database.name,
        tables=None if of_postgres is None else len(of_postgres.tables),
        server_version=None if of_postgres is None else of_postgres.server_version,
    )
