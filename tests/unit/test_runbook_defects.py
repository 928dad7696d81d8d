"""Each defect of the runbook's own scripts has a test that would have caught it."""

from __future__ import annotations

import ast

import pytest

from local.pulumi_cli import PROJECT_ROOT
from runbook import alerts, defects, thresholds
from runbook.defects import Defect


def test_all_twenty_two_are_there() -> None:
    assert [defect.number for defect in defects.ALL] == list(range(1, 23))


@pytest.mark.parametrize("defect", defects.ALL, ids=lambda defect: str(defect.number))
def test_what_catches_a_defect_exists_and_is_a_test(defect: Defect) -> None:
    assert defect.proven
    for proof in defect.proven:
        file, _, name = proof.partition("::")
        tree = ast.parse((PROJECT_ROOT / file).read_text())
        assert name.startswith("test_")
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, proof


def test_the_program_speaks_protocols_and_starts_no_kubectl() -> None:
    files = sorted((PROJECT_ROOT / "scripts").rglob("*.py"))
    assert len(files) > 100
    started = {
        f"{path.name}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.List | ast.Tuple)
        for word in node.elts
        if isinstance(word, ast.Constant) and word.value in ("kubectl", "sh", "bash", "-it", "certbot")
    }
    assert started == set()


def test_more_than_one_percent_errors_is_a_rule_of_its_own() -> None:
    # A budget of 0.5% burns at twice its rate at 1%: that alone pages after more than a day.
    ratio = thresholds.API_ERROR_RATIO
    rules = [alert for alert in alerts.ALL if alert.threshold is ratio]
    assert rules
    assert ratio.value > thresholds.SLO_ERROR_RATIO.value
