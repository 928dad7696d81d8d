"""What an earlier release declared keeps its identity: a new name or parent would replace it in production."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent
_RELEASES = sorted(path.stem for path in (_FOLDER / "releases").glob("*.txt"))
# Gone on purpose, each with the reason; nothing of it holds data.
_ROLES = "one role wrote for ten jobs; each kind and direction has its own"
_DROPPED: dict[str, str] = {
    "aws:iam/role:Role backups-role under backups": _ROLES,
    "aws:iam/rolePolicy:RolePolicy backups-role-policy under backups": _ROLES,
    "kubernetes:core/v1:ConfigMap postgres-postgres-init under postgres": "a Job makes the roles",
}


def _declared(release: str) -> set[str]:
    return set((_FOLDER / "releases" / f"{release}.txt").read_text().splitlines())


def test_there_is_a_release_to_compare_with() -> None:
    assert _RELEASES
    assert set(_DROPPED) <= {line for release in _RELEASES for line in _declared(release)}


@pytest.mark.parametrize("release", _RELEASES)
def test_what_a_release_declared_is_still_declared_under_its_name(release: str) -> None:
    stack = release.rsplit("-", 1)[1]
    before = _declared(release)
    now = set((_FOLDER / "graphs" / f"{stack}.txt").read_text().splitlines())
    assert len(before) > 50
    assert before - now == before & set(_DROPPED)
