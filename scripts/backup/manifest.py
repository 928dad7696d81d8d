"""What a backup says about itself. It is written last: a backup without a manifest does not exist."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, PrivateAttr, ValidationError

from runbook import formats
from scripts.backup import keys
from scripts.backup.keys import BackupId
from scripts.backup.postgres_model import DatabaseFacts, LargeObjects, Surroundings, Table
from scripts.backup.record import Bytes, Record, Sha256, Signature
from scripts.backup.rows import Method
from scripts.backup.signing import SigningKey
from scripts.exits import CheckFailedError, UsageError

# 1 knows no encryption; 1 and 2 have a SHA-256 of the content beside that of the stored object; before 4 there are no
# properties of a database, no checksums of its tables, and only Redis's keys, counted exactly; before 5, no signature.
FORMAT_VERSION: Final = 5


class Digest(Record):
    """Size in bytes and SHA-256 of a stream."""

    bytes: Bytes
    sha256: Sha256


class Content(Record):
    """Size in bytes of what was saved.

    Its frame ends with zstd's own checksum and the stored object has its SHA-256, so that a SHA-256 of its own, which
    formats before 3 have, told nothing more and took a third of what the compression takes.
    """

    bytes: Bytes
    sha256: Sha256 | None = None


def _valid_id(text: str) -> str:
    try:
        BackupId.parse(text)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return text


class Encryption(Record):
    """How the stored object is encrypted: by age, for the holder of the private key of ``recipient``."""

    method: Literal["age"]
    recipient: str


class Package(Record):
    """How a stream lies in the bucket: ``uncompressed`` is the stream itself, ``stored`` the object."""

    object_name: str = Field(pattern=r"^[a-z]+(\.[a-z]+)+$")
    uncompressed: Content
    stored: Digest
    part_bytes: int = Field(ge=1)
    parts: int = Field(ge=1)
    compression: Literal["zstd"] = "zstd"
    encryption: Encryption | None = None


class Manifest(Package):
    """A complete backup of any kind. ``snapshot_at`` is the moment that a restore brings back.

    That there is a ``signature`` does not say that it holds: the catalogue checks it.
    """

    folder: ClassVar[str]
    unit: ClassVar[str]

    format_version: Literal[1, 2, 3, 4, 5] = FORMAT_VERSION
    id: Annotated[str, AfterValidator(_valid_id)]
    started_at: AwareDatetime
    snapshot_at: AwareDatetime
    finished_at: AwareDatetime
    duration_seconds: float = Field(ge=0)
    signature: Signature | None = None
    _sha256: str | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        """``context`` is the SHA-256 of the bytes that it was read from."""
        self._sha256 = context

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the manifest as it stands in the bucket; None of one that was not read there."""
        return self._sha256

    @property
    def backup(self) -> BackupId:
        return BackupId.parse(self.id)

    @property
    def counts(self) -> Mapping[str, int]:
        """What is in it, so that a restore can be compared."""
        raise NotImplementedError

    @property
    def total(self) -> int:
        """All of ``counts`` together, in ``unit``."""
        return sum(self.counts.values())

    @property
    def subject(self) -> str:
        """What was saved, by its name."""
        raise NotImplementedError

    def text(self, key: str, signer: SigningKey | None) -> str:
        """The manifest as it is to stand in the bucket under ``key``."""
        plain = self.model_dump(mode="json", exclude={"signature"})
        return json.dumps(plain if signer is None else signer.signed(plain, key), indent=2, ensure_ascii=False) + "\n"


class PostgresManifest(Manifest):
    """A backup of PostgreSQL: the archive as pg_dump wrote it."""

    folder: ClassVar[str] = keys.POSTGRES
    unit: ClassVar[str] = "rows"

    kind: Literal["postgres"]
    database: DatabaseFacts
    server_version: str
    server_major: int = Field(ge=1)
    client_version: str
    database_bytes: Bytes
    tables: tuple[Table, ...]
    checksums: Method = "text"
    surroundings: Surroundings | None = None
    large_objects: LargeObjects | None = None

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return self.total

    @property
    def counts(self) -> Mapping[str, int]:
        return rows_of(self.tables)

    @property
    def subject(self) -> str:
        return self.database.name


class Keyspace(Record):
    """A numbered database of Redis: its keys, and how many of them expire."""

    index: int = Field(ge=0)
    keys: int = Field(ge=0)
    expiring: int = Field(ge=0)


class AclUser(Record):
    """A user of Redis and its rules as ACL LIST has them, without passwords and their hashes."""

    name: str
    rules: tuple[str, ...]


class RedisManifest(Manifest):
    """A backup of Redis: the RDB as the server sent it to a replica.

    ``functions`` (libraries) and ``databases`` are what the server told when the snapshot had begun, without the
    databases of a running restore: ``exact`` is false, since clients write meanwhile. Formats before 4 have what was
    counted in the RDB itself. ``server_databases`` is how many numbered databases the server had: the last is ops's
    own. ``users`` is None where the login may not list them.
    """

    folder: ClassVar[str] = keys.REDIS
    unit: ClassVar[str] = "keys"

    kind: Literal["redis"]
    server_version: str
    rdb_version: int = Field(ge=1)
    used_memory_bytes: Bytes
    functions: int = Field(ge=0)
    databases: tuple[Keyspace, ...]
    exact: bool = True
    server_databases: int | None = Field(default=None, ge=1)
    users: tuple[AclUser, ...] | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        return {f"db{space.index}": space.keys for space in self.databases}

    @property
    def subject(self) -> str:
        return "redis"


class ResourceCount(Record):
    """Objects of a kind; ``managed`` of them belong to a controller, which makes them anew."""

    api_version: str
    kind: str
    objects: int = Field(ge=0)
    managed: int = Field(ge=0)

    @property
    def label(self) -> str:
        return f"{self.kind}.{self.api_version}"


class ResourcesManifest(Manifest):
    """A backup of a namespace's objects, one a line. ``refused`` names kinds that the account may not list."""

    folder: ClassVar[str] = keys.RESOURCES
    unit: ClassVar[str] = "objects"

    kind: Literal["resources"]
    namespace: str
    server_version: str
    resources: tuple[ResourceCount, ...]
    refused: tuple[str, ...]
    secrets: bool

    @property
    def counts(self) -> Mapping[str, int]:
        return {entry.label: entry.objects for entry in self.resources}

    @property
    def subject(self) -> str:
        return self.namespace


AnyManifest = TypeVar("AnyManifest", bound=Manifest)
MODELS: Final[tuple[type[Manifest], ...]] = (PostgresManifest, RedisManifest, ResourcesManifest)


def rows_of(tables: tuple[Table, ...]) -> dict[str, int]:
    """Rows by table."""
    return {table.label: table.rows for table in tables}


def parse(content: bytes, where: str, model: type[AnyManifest]) -> AnyManifest:
    """The manifest in ``content``, of the kind of ``model``.

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
        return model.model_validate(plain, context=hashlib.sha256(content).hexdigest())
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(str(part) for part in detail["loc"])
        raise CheckFailedError(
            f"{where} is damaged: {key}: {formats.told(detail)}; choose another backup with --id"
        ) from None


def differences(expected: Mapping[str, int], found: Mapping[str, int], missing: str) -> list[str]:
    """Where two counts of the same things differ, one line each; ``missing`` stands for no count."""
    return [
        f"{label} has {found.get(label, missing)} instead of {expected.get(label, missing)}"
        for label in sorted(expected.keys() | found.keys())
        if expected.get(label) != found.get(label)
    ]


def shortened(lines: list[str], thing: str) -> str:
    """The first three of ``lines``, and how many more there are."""
    return "; ".join(lines[:3]) + (f" and {len(lines) - 3} more {thing}" if len(lines) > 3 else "")


def age_seconds(manifest: Manifest, now: datetime) -> float:
    """How long ago the state was that this backup brings back.

    By the bucket's clock where that of the database had jumped ahead: a backup of the future would never be too old.
    """
    jumped = manifest.snapshot_at > manifest.finished_at
    return (now - (manifest.started_at if jumped else manifest.snapshot_at)).total_seconds()
