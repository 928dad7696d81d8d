"""The way of a restore up to its swap: from a throwaway server, batch by batch, into staging databases."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from runbook.units import size
from scripts.backup import redis_staging
from scripts.backup.manifest import Keyspace, RedisManifest, shortened
from scripts.backup.redis_scratch import Key, Loaded
from scripts.backup.redis_staging import Staging
from scripts.exits import CheckFailedError, UsageError
from scripts.progress import Progress


@dataclass(slots=True)
class Copied:
    """What came into a staging database: keys without an expiry, and those with one by the second in which it is."""

    lasting: int = 0
    expiring: Counter[int] = field(default_factory=Counter[int])

    @property
    def keys(self) -> int:
        return self.lasting + self.expiring.total()

    def add(self, batch: list[Key]) -> None:
        """So many more."""
        for key in batch:
            if key.expires < 0:
                self.lasting += 1
            else:
                self.expiring[key.expires // 1000] += 1

    def later(self, now: int) -> int:
        """How many of them expire after ``now`` (milliseconds)."""
        return sum(count for second, count in self.expiring.items() if second > now // 1000)


def copy(source: Loaded, staging: Staging, manifest: RedisManifest, *, keep: bool) -> int:
    """Bring every key into its staging database and compare; without ``keep`` each batch goes when it was counted.

    The answer is how many keys came; those that are missing have expired since the backup.

    Raises:
        CheckFailedError: what came is not what is in the backup.
        UsageError: the server does not take a value of this length.
        TemporaryError: another restore has taken over, or the server's memory is full.
    """
    copied: dict[int, Copied] = {}
    most = redis_staging.longest_value(staging.client)
    with Progress("staging", source.total, "keys") as progress:
        for space in source.spaces:
            told = copied[space.index] = Copied()
            for batch in source.batches(space.index):
                _check_length(batch, most)
                parts = [(key.name, max(key.expires, 0), key.value) for key in batch]
                found = staging.put(staging.staged[space.index], parts, keep=keep)
                if not keep and found != len(batch):
                    raise CheckFailedError(
                        f"backup {manifest.id} is not restored: {found} of {len(batch)} keys came back"
                    )
                told.add(batch)
                progress.advance(len(batch))
            if (told.lasting, True) != (space.keys - space.expiring, told.expiring.total() <= space.expiring):
                raise _wrong(manifest, space, told.keys)
    if keep:
        _count(source, staging, manifest, copied)
    return sum(told.keys for told in copied.values())


def _check_length(batch: list[Key], most: int) -> None:
    """Redis would end the connection without a word."""
    length = sum(len(key.name) + len(key.value) for key in batch)
    if length > most:
        longest = max(batch, key=lambda key: len(key.value))
        raise UsageError(
            f"key {shortened([repr(longest.name)[1:]], 'keys')} is one value of {size(len(longest.value))}, and this "
            f"Redis takes {size(most)}: set proto-max-bulk-len and client-query-buffer-limit above {size(length)} "
            "meanwhile; nothing was swapped"
        )


def _count(source: Loaded, staging: Staging, manifest: RedisManifest, copied: dict[int, Copied]) -> None:
    """Compare what the server has in the staging databases: some keys may expire at this moment."""
    there = redis_staging.databases(staging.client).spaces
    now = redis_staging.clock(staging.client)
    for space in source.spaces:
        told, number = copied[space.index], staging.staged[space.index]
        found = there.get(number, Keyspace(index=number, keys=0, expiring=0))
        lasting = found.keys - found.expiring
        if lasting != told.lasting or not told.later(now) <= found.expiring <= told.expiring.total():
            raise _wrong(manifest, space, found.keys)


def _wrong(manifest: RedisManifest, space: Keyspace, found: int) -> CheckFailedError:
    return CheckFailedError(
        f"backup {manifest.id} is not restored: of database {space.index} {found} keys came instead of {space.keys}; "
        "nothing was swapped"
    )
