"""What a backup says about itself. It is written last: a backup without a manifest does not exist."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from scripts.backup.keys import BackupId
from scripts.exits import CheckFailedError, UsageError

FORMAT_VERSION: Final = 1

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Bytes = Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class Table(_Model):
    """A table and its exact number of rows under the dump's snapshot."""

    schema_name: str
    name: str
    rows: int = Field(ge=0)

    @property
    def label(self) -> str:
        return f"{self.schema_name}.{self.name}"


class Digest(_Model):
    """Size in bytes and SHA-256 of a stream."""

    bytes: Bytes
    sha256: Sha256


class DatabaseFacts(_Model):
    """What a fresh database must be created with."""

    name: str
    owner: str
    encoding: str
    collate: str
    ctype: str


def _valid_id(text: str) -> str:
    try:
        BackupId.parse(text)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return text


class Manifest(_Model):
    """A complete backup of PostgreSQL.

    ``uncompressed`` is the archive as pg_dump wrote it, ``stored`` the object in the bucket. ``snapshot_at`` is the
    moment that a restore brings back.
    """

    format_version: Literal[1]
    kind: Literal["postgres"]
    id: Annotated[str, AfterValidator(_valid_id)]
    database: DatabaseFacts
    server_version: str
    server_major: int = Field(ge=1)
    client_version: str
    started_at: AwareDatetime
    snapshot_at: AwareDatetime
    finished_at: AwareDatetime
    duration_seconds: float = Field(ge=0)
    database_bytes: Bytes
    uncompressed: Digest
    stored: Digest
    part_bytes: int = Field(ge=1)
    parts: int = Field(ge=1)
    object_name: Literal["dump.zst"]
    compression: Literal["zstd"]
    encryption: None = None
    tables: tuple[Table, ...]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    def text(self) -> str:
        """The manifest as it stands in the bucket."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def parse(content: bytes, where: str) -> Manifest:
    """The manifest in ``content``.

    Raises:
        UsageError: written by a newer release of this program.
        CheckFailedError: damaged, or of something else.
    """
    try:
        plain: Any = json.loads(content)
        version = plain["formatVersion"]
    except (ValueError, KeyError, TypeError):
        raise CheckFailedError(
            f"{where} is damaged: it is no manifest in JSON; choose another backup with --id"
        ) from None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise UsageError(
            f"{where} has format {version} and this release of ops reads up to {FORMAT_VERSION}; use a newer ops"
        )
    try:
        return Manifest.model_validate(plain)
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(str(part) for part in detail["loc"])
        raise CheckFailedError(f"{where} is damaged: {key}: {detail['msg']}; choose another backup with --id") from None


def differences(expected: tuple[Table, ...], found: tuple[Table, ...]) -> list[str]:
    """Where two counts of the same tables differ, one line each; empty when they are equal."""
    left = {table.label: table.rows for table in expected}
    right = {table.label: table.rows for table in found}
    return [
        f"{label} has {right.get(label, 'no table')} instead of {left.get(label, 'no table')}"
        for label in sorted(left.keys() | right.keys())
        if left.get(label) != right.get(label)
    ]


def age_seconds(manifest: Manifest, now: datetime) -> float:
    """How long ago the state was that this backup brings back."""
    return (now - manifest.snapshot_at).total_seconds()
