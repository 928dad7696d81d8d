"""What a backup of PostgreSQL says of its database: enough to build the same one on an empty server, and to compare."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scripts.backup.record import Bytes, Record


class Table(Record):
    """A table under the dump's snapshot: its exact number of rows, and a checksum that their order does not change."""

    schema_name: str
    name: str
    rows: int = Field(ge=0)
    checksum: str | None = None

    @property
    def label(self) -> str:
        return f"{self.schema_name}.{self.name}"


class Grant(Record):
    """A privilege on the database; ``grantee`` None is PUBLIC."""

    grantee: str | None
    privilege: Literal["CREATE", "CONNECT", "TEMPORARY"]
    grantable: bool


class Setting(Record):
    """A setting of the database (``role`` None), or of a role in it."""

    role: str | None
    name: str
    value: str


class DatabaseFacts(Record):
    """What a database is created with.

    ``rights`` None are the ones that every new database has, ``tablespace`` None is that of the server.
    """

    name: str
    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str = "c"
    locale: str | None = None
    icu_rules: str | None = None
    collation_version: str | None = None
    connection_limit: int = -1
    tablespace: str | None = None
    template: bool = False
    comment: str | None = None
    rights: tuple[Grant, ...] | None = None
    settings: tuple[Setting, ...] = ()


class Role(Record):
    """A role that owns something in the database, is granted something, or is a member of such a role."""

    name: str
    superuser: bool
    inherit: bool
    create_role: bool
    create_db: bool
    login: bool
    replication: bool
    bypass_rls: bool
    connection_limit: int
    valid_until: str | None
    comment: str | None
    settings: tuple[Setting, ...] = ()


class Membership(Record):
    """``member`` belongs to ``role``; the last two are None before PostgreSQL 16."""

    role: str
    member: str
    admin: bool
    inherit: bool | None
    set: bool | None


class Extension(Record):
    """An extension, its version and the schema of its objects.

    ``members`` is a digest of what it made, ``tables`` are its tables, which no dump has. Manifests of an older ``ops``
    have none of these, and no owner.
    """

    name: str
    version: str
    schema_name: str
    owner: str | None = None
    members: str | None = None
    tables: tuple[str, ...] = ()


class ParameterRight(Record):
    """A privilege on a setting of the server."""

    parameter: str
    grantee: str
    privilege: Literal["SET", "ALTER SYSTEM"]
    grantable: bool


class Sequence(Record):
    """A sequence before the dump read it: ``value`` None was never used, or may not be read."""

    schema_name: str
    name: str
    value: int | None
    increment: int

    @property
    def label(self) -> str:
        return f"{self.schema_name}.{self.name}"


class LargeObjects(Record):
    """All large objects: how many, their size, and a checksum that their order does not change."""

    count: int = Field(ge=0)
    bytes: Bytes
    checksum: str


class Subscription(Record):
    """A subscription; its connection string is a secret that no backup holds.

    ``options`` are those of CREATE SUBSCRIPTION; manifests of an older ``ops`` have none, and no owner.
    """

    name: str
    publications: tuple[str, ...]
    options: dict[str, str] = Field(default_factory=dict)
    slot: str | None = None
    owner: str | None = None
    comment: str | None = None


class Surroundings(Record):
    """What a database needs around it and beside its content. ``user_mappings`` come back without their secrets."""

    roles: tuple[Role, ...]
    memberships: tuple[Membership, ...]
    extensions: tuple[Extension, ...]
    sequences: tuple[Sequence, ...]
    subscriptions: tuple[Subscription, ...]
    user_mappings: tuple[str, ...]
    parameters: tuple[ParameterRight, ...] = ()
