"""What the list says of every backup of a kind."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from scripts.backup.catalog import READERS, Catalog, Verified
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Manifest, PostgresManifest, age_seconds
from scripts.backup.proof import Shrunk
from scripts.exits import CheckFailedError, UsageError


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class Facts(_Model):
    """A backup as the list shows it. ``total`` is in ``unit``; its age counts from ``aged_from``."""

    of: str
    snapshot_at: AwareDatetime
    aged_from: AwareDatetime
    unit: str
    total: int
    uncompressed_bytes: int
    stored_bytes: int
    encrypted: bool
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


def entries(catalog: Catalog[Manifest], present: Mapping[str, str]) -> list[Entry]:
    """Every complete backup among the keys that are ``present``, newest first.

    Raises:
        TemporaryError: the bucket does not answer.
    """
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(partial(_entry, catalog, present), catalog.ids(present)))


def _entry(catalog: Catalog[Manifest], present: Mapping[str, str], backup: BackupId) -> Entry:
    try:
        found = catalog.manifest(backup)
    except (CheckFailedError, UsageError) as error:
        return Entry(catalog.kind, backup, None, str(error))
    return Entry(catalog.kind, backup, facts(found, catalog.record(found, present)), None)


def facts(found: Manifest, record: Verified[Manifest] | None) -> Facts:
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
        seconds=found.duration_seconds,
        proven_at=record.proof.proven_at if record is not None and proven else None,
        shrunk=record.proof.shrunk if record is not None and proven else None,
        accepted_by=None if acceptance is None else acceptance.accepted_by,
        accepted_at=None if acceptance is None else acceptance.accepted_at,
        database=None if of_postgres is None else of_postgres.database.name,
        tables=None if of_postgres is None else len(of_postgres.tables),
        server_version=None if of_postgres is None else of_postgres.server_version,
    )
