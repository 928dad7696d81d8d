"""The printed policies are the catalogue."""

from __future__ import annotations

from pathlib import Path

from policies import page
from policies.catalogue import ALL

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "policies.md"


def test_every_rule_has_a_chapter_with_what_to_do() -> None:
    assert len(ALL) >= 30
    for rule in ALL:
        chapter = page.markdown().split(f"## {rule.meta.name}\n", 1)[1].split("\n## ", 1)[0]
        assert rule.meta.remediation in chapter
