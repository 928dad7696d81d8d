"""Whether a backup has far less than the one before it: the store may have been emptied, and the one before is full.

Such a backup is kept and proven like any other. It supersedes nothing until a person accepts it (`ops backups accept`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from scripts.backup.manifest import Manifest, ResourcesManifest
from scripts.backup.proof import Shrunk
from scripts.backup.resources_content import ONE_OFF


def judge(
    found: Manifest, counts: Mapping[str, int], before: Manifest, counts_before: Mapping[str, int], share: float
) -> Shrunk | None:
    """How far ``found`` fell since ``before``; None where it did not.

    It did where all of it together is less than ``share`` of what it was, or where a table, a Redis database or a kind
    of object has nothing any more. The counts are those of the proofs: what came back from each.
    """
    now, then = _amounts(found, counts), _amounts(before, counts_before)
    total, total_before = sum(now.values()), sum(then.values())
    emptied = tuple(sorted(name for name, amount in then.items() if amount and not now.get(name)))
    if not emptied and total >= share * total_before:
        return None
    return Shrunk(against=before.id, before=total_before, after=total, emptied=emptied)


def _amounts(manifest: Manifest, counts: Mapping[str, int]) -> Mapping[str, int]:
    """What is there by name. Of objects only those that somebody made count: the cluster's own come and go.

    A kind is one whatever version of it is saved.
    """
    if not isinstance(manifest, ResourcesManifest):
        return counts
    amounts: Counter[str] = Counter()
    for entry in manifest.resources:
        if entry.kind not in ONE_OFF:
            group = entry.api_version.rpartition("/")[0]
            amounts[f"{entry.kind}.{group}" if group else entry.kind] += entry.objects - entry.managed
    return amounts


def figures(shrunk: Shrunk, unit: str) -> str:
    """From how much to how much, in the ``unit`` of its kind, since which backup, and what is empty."""
    text = f"{shrunk.before:,} -> {shrunk.after:,} {unit} since backup {shrunk.against}"
    if not shrunk.emptied:
        return text
    more = f" and {len(shrunk.emptied) - 3} more" if len(shrunk.emptied) > 3 else ""
    return f"{text}; empty now: {', '.join(shrunk.emptied[:3])}{more}"


def told(backup: str, shrunk: Shrunk, unit: str) -> str:
    """What a person must know of a backup that has shrunk, after its id."""
    return f"has shrunk ({figures(shrunk, unit)}) and supersedes nothing; if that is right: ops backups accept {backup}"
