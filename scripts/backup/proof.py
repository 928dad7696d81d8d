"""What makes a backup proven: it was restored, and what came back was counted.

It lies beside the manifest and names the object by its SHA-256. A later verification that fails takes it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import AwareDatetime, Field, ValidationError

from scripts.backup.manifest import Digest, Manifest
from scripts.backup.record import Record

FORMAT_VERSION: Final = 2
# What a verification compares: a proof that was made by other checks than today's proves nothing.
CHECKS: Final = 2


class Proof(Record):
    """``method`` says how it was proven, ``checks`` by which set of checks; ``revoked`` why it no longer is."""

    format_version: Literal[1, 2]
    kind: str
    id: str
    stored: Digest
    proven_at: AwareDatetime
    duration_seconds: float = Field(ge=0)
    method: str
    counts: Mapping[str, int]
    revoked: str | None = None
    checks: int = 1

    def holds(self, manifest: Manifest) -> bool:
        """Whether it proves this backup."""
        same = self.id == manifest.id and self.stored == manifest.stored
        return self.revoked is None and self.checks == CHECKS and same

    def text(self) -> str:
        """The proof as it stands in the bucket."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def of(manifest: Manifest, method: str, seconds: float, counts: Mapping[str, int]) -> Proof:
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
        checks=CHECKS,
    )


def parse(content: bytes) -> Proof | None:
    """The proof in ``content``; None for what cannot be read, which proves nothing."""
    try:
        return Proof.model_validate_json(content)
    except ValidationError:
        return None
