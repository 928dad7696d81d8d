"""When a backup has shrunk: by how much, and what became empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook import practices
from scripts.backup import shrinkage
from scripts.backup.manifest import Digest, RedisManifest, ResourceCount, ResourcesManifest
from scripts.backup.proof import Shrunk

_BEFORE, _AFTER = "20260301T020000Z-0a1b2c3d", "20260302T020000Z-0a1b2c3d"
_NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
_SHARE = practices.BACKUP_SHRINK.value
_COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 50))


def _common(backup: str) -> dict[str, Any]:
    return {
        "id": backup,
        "started_at": _NOW,
        "snapshot_at": _NOW,
        "finished_at": _NOW,
        "duration_seconds": 1,
        "object_name": "data.zst",
        "uncompressed": {"bytes": 1},
        "stored": Digest(bytes=1, sha256="0" * 64),
        "part_bytes": 1,
        "parts": 1,
        "server_version": "7",
    }


def _redis(backup: str) -> RedisManifest:
    return RedisManifest(**_common(backup), kind="redis", rdb_version=1, used_memory_bytes=0, functions=0, databases=())


def _resources(backup: str, kinds: Mapping[str, tuple[int, int]]) -> ResourcesManifest:
    """Objects, and how many of them are managed, by ``kind.apiVersion``."""
    counts = [
        ResourceCount(kind=kind, api_version=version, objects=objects, managed=managed)
        for label, (objects, managed) in kinds.items()
        for kind, _, version in [label.partition(".")]
    ]
    return ResourcesManifest(
        **_common(backup), kind="resources", namespace="crypto", resources=tuple(counts), refused=(), secrets=True
    )


def _judge(before: Mapping[str, int], after: Mapping[str, int], share: float = _SHARE) -> Shrunk | None:
    return shrinkage.judge(_redis(_AFTER), after, _redis(_BEFORE), before, share)


def _judge_objects(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> Shrunk | None:
    return shrinkage.judge(_resources(_AFTER, after), {}, _resources(_BEFORE, before), {}, _SHARE)


@pytest.mark.parametrize(
    ("before", "after", "emptied"),
    [
        ({"db0": 18}, {}, ("db0",)),
        ({"db0": 18}, {"db0": 8}, ()),
        ({"db0": 1000, "db1": 1}, {"db0": 1000}, ("db1",)),
        ({"public.users": 5, "public.prices": 9}, {"public.users": 0, "public.prices": 900}, ("public.users",)),
        # What is new does not make up for what is gone.
        ({"db0": 18}, {"db1": 18}, ("db0",)),
    ],
)
def test_less_than_the_share_and_what_became_empty_are_told(
    before: dict[str, int], after: dict[str, int], emptied: tuple[str, ...]
) -> None:
    found = _judge(before, after)

    assert found == Shrunk(against=_BEFORE, before=sum(before.values()), after=sum(after.values()), emptied=emptied)


@pytest.mark.parametrize(
    ("before", "after"),
    [({"db0": 18}, {"db0": 9}), ({}, {}), ({"public.new": 0}, {}), ({"db0": 1}, {"db0": 1, "db5": 7})],
)
def test_as_much_as_the_share_and_growth_are_not(before: dict[str, int], after: dict[str, int]) -> None:
    assert _judge(before, after) is None


@given(_COUNTS, _COUNTS, st.floats(0, 1))
def test_a_backup_has_shrunk_exactly_where_the_total_fell_or_a_part_is_gone(
    before: dict[str, int], after: dict[str, int], share: float
) -> None:
    gone = [name for name, amount in before.items() if amount > 0 and after.get(name, 0) == 0]

    found = _judge(before, after, share)

    assert (found is not None) == (bool(gone) or sum(after.values()) < share * sum(before.values()))
    assert found is None or list(found.emptied) == sorted(gone)


def test_objects_that_a_cluster_makes_by_itself_do_not_count() -> None:
    calm = {"ConfigMap.v1": (3, 1), "Deployment.apps/v1": (1, 0)}
    busy = {**calm, "Pod.v1": (40, 40), "Event.v1": (900, 0), "ReplicaSet.apps/v1": (10, 10)}

    assert _judge_objects(busy, calm) is None
    found = _judge_objects(busy, {**busy, "ConfigMap.v1": (1, 1)})
    assert found == Shrunk(against=_BEFORE, before=3, after=1, emptied=("ConfigMap",))


def test_a_kind_in_another_version_is_the_same_kind() -> None:
    assert _judge_objects({"Widget.example.com/v1beta1": (2, 0)}, {"Widget.example.com/v1": (2, 0)}) is None
    found = _judge_objects({"Widget.example.com/v1": (2, 0)}, {"Widget.other.com/v1": (2, 0)})
    assert found is not None
    assert found.emptied == ("Widget.example.com",)


def test_the_words_have_the_numbers_and_the_first_of_what_is_empty() -> None:
    shrunk = Shrunk(against=_BEFORE, before=12_000, after=3, emptied=("a", "b", "c", "d", "e"))

    assert shrinkage.told(_AFTER, shrunk, "rows") == (
        f"has shrunk (12,000 -> 3 rows since backup {_BEFORE}; empty now: a, b, c and 2 more) and supersedes nothing; "
        f"if that is right: ops backups accept {_AFTER}"
    )
