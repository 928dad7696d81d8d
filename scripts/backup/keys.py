"""Names in the bucket.

``<prefix><kind>/<id>/`` holds a backup: its data, ``manifest.json``, ``proof.json`` once it was restored, and
``accepted.json`` once a person lets it count although it has shrunk. An id is its time in UTC and eight hexadecimal
digits, so that keys sort by time and two runs in the same second differ.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from runbook import bucket
from scripts.exits import UsageError

POSTGRES: Final = bucket.POSTGRES
REDIS: Final = bucket.REDIS
RESOURCES: Final = bucket.RESOURCES
KINDS: Final = bucket.BACKUP_KINDS
VERIFIER: Final = bucket.VERIFIER
MANIFEST: Final = bucket.MANIFEST
PROOF: Final = bucket.PROOF
ACCEPTED: Final = bucket.ACCEPTED
INDEX: Final = bucket.INDEX
# Encrypted data has an ending more.
DATA: Final = bucket.DATA
ENCRYPTED: Final = ".age"

_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_ID: Final = re.compile(r"(\d{8}T\d{6}Z)-([0-9a-f]{8})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class BackupId:
    """When a backup was begun (UTC, whole seconds) and what tells it from others of that second."""

    time: datetime
    suffix: str

    @classmethod
    def new(cls, now: datetime) -> Self:
        return cls(now.astimezone(UTC).replace(microsecond=0), secrets.token_hex(4))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id that ``text`` spells.

        Raises:
            UsageError: it is none.
        """
        if (match := _ID.fullmatch(text)) is not None:
            with suppress(ValueError):
                return cls(datetime.strptime(match[1], _FORMAT).replace(tzinfo=UTC), match[2])
        raise UsageError(f"{text!r} is no backup id; it looks like 20260301T020000Z-0a1b2c3d (see: ops backups list)")

    def __str__(self) -> str:
        return f"{self.time.strftime(_FORMAT)}-{self.suffix}"


def folder(prefix: str, kind: str) -> str:
    """The prefix of all backups of a kind."""
    return f"{prefix}{kind}/"


def key(prefix: str, kind: str, backup: BackupId, name: str) -> str:
    """The key of an object of a backup."""
    return f"{folder(prefix, kind)}{backup}/{name}"


def of_backup(name: str, prefix: str, kind: str) -> BackupId | None:
    """The backup that the key ``name`` belongs to, complete or not; None for a key of something else."""
    start = folder(prefix, kind)
    part = name[len(start) :].split("/", maxsplit=1)[0] if name.startswith(start) else ""
    with suppress(UsageError):
        return BackupId.parse(part)
    return None


def ids(found: Iterable[str], prefix: str, kind: str) -> list[BackupId]:
    """The ids of complete backups among keys, newest first: those with a manifest."""
    ending = f"/{MANIFEST}"
    start = folder(prefix, kind)
    names = [name[len(start) : -len(ending)] for name in found if name.startswith(start) and name.endswith(ending)]
    return sorted((BackupId.parse(name) for name in names if _ID.fullmatch(name)), reverse=True)
