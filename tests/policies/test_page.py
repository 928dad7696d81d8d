"""The printed policies are the catalogue, with a reason and two examples for every rule."""

from __future__ import annotations

import re

from policies import page
from policies.catalogue import ALL


def _chapter(text: str, name: str) -> str:
    return text.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]


def test_every_rule_and_no_other_has_a_reason_and_two_examples_that_differ() -> None:
    guide = page.guide()
    assert len(ALL) >= 60
    assert list(guide) == [rule.meta.name for rule in ALL]
    for name, entry in guide.items():
        assert set(entry) == {"why", "good", "bad"}, name
        assert entry["good"] != entry["bad"], name
        assert re.fullmatch(r"[A-Z0-9].*\.", entry["why"]), name


def test_every_chapter_says_what_why_how_to_mend_and_how_to_waive() -> None:
    page_text, guide = page.markdown(), page.guide()
    assert page_text.count("\n## ") == len(ALL) + 1
    for rule in ALL:
        chapter = _chapter(page_text, rule.meta.name)
        wanted = (rule.meta.description, guide[rule.meta.name]["why"], rule.meta.remediation, "Good:", "Bad:")
        assert [part for part in wanted if part not in chapter] == []
        assert ("To waive it:" in chapter) is rule.meta.waivable
        assert ("It cannot be waived." in chapter) is not rule.meta.waivable
