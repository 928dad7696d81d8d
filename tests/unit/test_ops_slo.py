"""The dashboards' figures: expressions, verdicts, and how figures are written."""

from __future__ import annotations

import math

import pytest

from runbook import slo, thresholds
from runbook.thresholds import Unit
from scripts.clients.prometheus import Sample
from scripts.health.model import Status
from scripts.slo import check

_OBJECTIVES = slo.objectives("crypto")


def test_every_figure_of_the_hourly_check_has_its_limit_from_the_runbook() -> None:
    limits = {objective.name: objective.limit for objective in _OBJECTIVES}

    assert limits["api latency p95"] is thresholds.LATENCY_P95
    assert limits["api error ratio"] is thresholds.SLO_ERROR_RATIO
    assert limits["node cpu"] is thresholds.NODE_CPU_RATIO
    assert limits["node memory"] is thresholds.NODE_MEMORY_RATIO
    assert {"prices updated", "sentiment processed"} <= set(limits)


@pytest.mark.parametrize("objective", _OBJECTIVES, ids=lambda objective: objective.name)
def test_a_figure_fails_at_its_limit_and_is_fine_just_below(objective: slo.Objective) -> None:
    at = check.judge(objective, [Sample({}, objective.limit.value)])
    below = check.judge(objective, [Sample({}, objective.limit.value * 0.999)])

    assert (at.status, below.status) == (Status.FAIL, Status.OK)


@pytest.mark.parametrize("objective", _OBJECTIVES, ids=lambda objective: objective.name)
def test_what_is_missing_or_no_number_is_unknown(objective: slo.Objective) -> None:
    assert check.judge(objective, []).status is Status.UNKNOWN
    assert check.judge(objective, [Sample({}, math.nan)]).status is Status.UNKNOWN
    assert check.judge(objective, [Sample({}, 0.0), Sample({}, math.nan)]).status is Status.UNKNOWN


def test_the_worst_node_decides_and_is_named() -> None:
    node = next(objective for objective in _OBJECTIVES if objective.name == "node cpu")

    finding = check.judge(node, [Sample({"instance": "a"}, 0.1), Sample({"instance": "b"}, 0.93)])

    assert (finding.status, finding.value, finding.detail) == (Status.FAIL, "93.00%", "instance b")


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (0.1843, Unit.SECONDS, "184 ms"),
        (125, Unit.SECONDS, "2 min 5 s"),
        (0.00312, Unit.RATIO, "0.31%"),
        (math.inf, Unit.SECONDS, "inf"),
    ],
)
def test_figures_are_written_in_their_unit(number: float, unit: Unit, text: str) -> None:
    assert check.shown(number, unit) == text
