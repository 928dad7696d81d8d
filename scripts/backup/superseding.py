"""Marks the backups that a newer one that counts has superseded: only what is marked may S3 end by its age (defect 2).

S3's lifecycle knows how old an object is and not what of it restores. It ends what carries this tag and is beyond the
retention: also where `ops backups prune` no longer runs, and in the replica, whose objects take the tags of the
originals. The newest backup that counts and everything newer have it not, and so no age at which they go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from runbook.bucket import SUPERSEDED_TAG, SUPERSEDED_VALUE
from scripts import log
from scripts.backup import keys
from scripts.backup.keys import BackupId
from scripts.clients.s3 import Bucket, NotFoundError
from scripts.exits import CheckFailedError, UsageError

_AT_ONCE: Final = 8


@dataclass(slots=True)
class Marks:
    """Backups that were marked, or freed of their mark; ``refused`` maps the others to the reason."""

    superseded: list[str] = field(default_factory=list[str])
    freed: list[str] = field(default_factory=list[str])
    refused: dict[str, str] = field(default_factory=dict[str, str])


def mark(
    bucket: Bucket,
    backups: Iterable[BackupId],
    newest: BackupId | None,
    by_backup: Mapping[BackupId, Sequence[str]],
    *,
    dry_run: bool,
) -> Marks:
    """Give every complete backup of a kind the mark that it should have, or none; ``newest`` is the newest that counts.

    A proof that was taken back frees what it had superseded. What the role may not tag is reported and no error:
    without a mark nothing is lost.

    Raises:
        TemporaryError: the bucket does not answer.
    """
    marks = Marks()

    def one(backup: BackupId) -> None:
        # The manifest is tagged last and looked at first: a run that was killed between is made good.
        objects = sorted(by_backup.get(backup, ()), key=lambda name: name.endswith(f"/{keys.MANIFEST}"))
        wanted, name = newest is not None and backup < newest, str(backup)
        try:
            if not objects or _marked(bucket, objects[-1]) == wanted:
                return
            if not dry_run:
                for key in objects:
                    _set(bucket, key, wanted=wanted)
        except NotFoundError:
            return
        except (UsageError, CheckFailedError) as error:
            marks.refused[name] = str(error)
            return
        (marks.superseded if wanted else marks.freed).append(name)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(one, backups))
    if marks.freed and not dry_run:
        log.warning("backups are the newest that restore again", freed=sorted(marks.freed))
    return Marks(sorted(marks.superseded), sorted(marks.freed), marks.refused)


def _marked(bucket: Bucket, key: str) -> bool:
    return bucket.tags(key).get(SUPERSEDED_TAG) == SUPERSEDED_VALUE


def _set(bucket: Bucket, key: str, *, wanted: bool) -> None:
    # Whatever else somebody has tagged it with stays. Another value and not none: to remove a tag is another right.
    bucket.set_tags(key, bucket.tags(key) | {SUPERSEDED_TAG: SUPERSEDED_VALUE if wanted else "false"})
