"""The rendered rules, judged by promtool: the syntax of all, and the meaning of those that join several metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook import alerts
from tests.alerts import cases
from tests.alerts.cases import Case
from tests.alerts.needed import needed
from tests.alerts.tools import judge, run


def test_promtool_finds_nothing_to_lint(rules: dict[str, Path]) -> None:
    checked = run("promtool", ["check", "rules", "--lint-fatal", rules["prod"]], rules["prod"].parent)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{sum(len(group.rules) for group in alerts.GROUPS)} rules found" in checked.stdout


def test_both_stacks_have_the_same_rules(rules: dict[str, Path]) -> None:
    assert rules["local"].read_text() == rules["prod"].read_text()


@pytest.mark.parametrize("case", cases.ALL, ids=lambda case: f"{case.name}: {case.promise}")
def test_a_rule_means_what_it_says(case: Case, rules: dict[str, Path], tmp_path: Path) -> None:
    assert case.name in alerts.BY_NAME
    code, said = judge([cases.document(case)], tmp_path, needed(rules["prod"], case.name, tmp_path), case.step)
    assert code == 0, said
