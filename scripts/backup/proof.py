"""What makes a backup proven: it was restored, and what came back was counted.

It lies beside the manifest and names the object by its SHA-256. A later verification that fails takes it back. Where
much less came back than from the backup before it, the proof says so, and an acceptance beside it says who has seen it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TypeVar

from pydantic import AwareDatetime, Field

from scripts.backup.manifest import Digest, Manifest
from scripts.backup.record import Record, Sha256, Signature
from scripts.backup.signing import SigningKey

# Before 3 it names no manifest and has no signature.
FORMAT_VERSION: Final = 3
# What a verification compares: a proof that was made by other checks than today's proves nothing.
CHECKS: Final = 2


class _Beside(Record):
    """What lies beside a manifest and is of its backup alone."""

    kind: str
    id: str
    stored: Digest

    def is_of(self, manifest: Manifest) -> bool:
        """Whether it was written about this backup and the object that it has now."""
        return self.id == manifest.id and self.stored == manifest.stored


class Shrunk(Record):
    """How much less a backup has than backup ``against``: all of it before and after, and what became empty."""

    against: str
    before: int = Field(ge=0)
    after: int = Field(ge=0)
    emptied: tuple[str, ...]


class Proof(_Beside):
    """``method`` says how it was proven, ``checks`` by which set of checks; ``revoked`` why it no longer is.

    ``digests`` has Redis's digest of all that was loaded, by the version of the server that computed it.
    ``manifest`` is the SHA-256 of the manifest that was verified: one that is written over it is not proven.
    """

    format_version: Literal[1, 2, 3]
    proven_at: AwareDatetime
    duration_seconds: float = Field(ge=0)
    method: str
    counts: Mapping[str, int]
    digests: Mapping[str, str] = {}
    revoked: str | None = None
    checks: int = 1
    shrunk: Shrunk | None = None
    manifest: Sha256 | None = None
    signature: Signature | None = None

    def is_of(self, manifest: Manifest) -> bool:
        return super().is_of(manifest) and self.manifest in (None, manifest.sha256)

    def text(self, key: str, signer: SigningKey | None) -> str:
        """It as it is to stand in the bucket under ``key``."""
        plain = self.model_dump(mode="json", exclude={"signature"})
        return json.dumps(plain if signer is None else signer.signed(plain, key), indent=2, ensure_ascii=False) + "\n"

    @property
    def holds(self) -> bool:
        """Whether it still proves its backup, by today's checks."""
        return self.revoked is None and self.checks == CHECKS


class Acceptance(_Beside):
    """Who lets a shrunk backup count. An object of its own: a verification never writes over what a person decided."""

    format_version: Literal[1] = 1
    accepted_by: str
    accepted_at: AwareDatetime

    def text(self) -> str:
        """It as it stands in the bucket."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


AnyBeside = TypeVar("AnyBeside", bound=_Beside)


def of(
    manifest: Manifest,
    method: str,
    seconds: float,
    counts: Mapping[str, int],
    digests: Mapping[str, str],
    shrunk: Shrunk | None = None,
) -> Proof:
    """The proof of a restore that has just come out right."""
    return Proof(
        format_version=FORMAT_VERSION,
        kind=manifest.folder,
        id=manifest.id,
        stored=manifest.stored,
        proven_at=datetime.now(UTC),
        duration_seconds=round(seconds, 3),
        method=method,
        counts=counts,
        digests=digests,
        checks=CHECKS,
        shrunk=shrunk,
        manifest=manifest.sha256,
    )


def parse(content: bytes, model: type[AnyBeside]) -> AnyBeside | None:
    """What ``content`` says; None for what cannot be read, which proves and accepts nothing."""
    try:
        # By the reader that the signature is checked with: two could differ about the same bytes.
        return model.model_validate(json.loads(content))
    except ValueError:
        return None
