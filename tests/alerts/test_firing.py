"""Every alert fires just beyond its limit once its time is over, is quiet just before it, and ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook import alerts
from runbook.alerting import objectives, routing
from runbook.alerting.watching import WATCHDOG
from tests.alerts import scenarios
from tests.alerts.firing import document, expected, fires, stays_quiet, values
from tests.alerts.needed import needed
from tests.alerts.tools import judge

_FIRING = sorted(scenarios.BY_NAME.keys() - {WATCHDOG.name})


def test_no_alert_is_without_a_scenario() -> None:
    assert [scenario.alert for scenario in scenarios.ALL] == list(dict.fromkeys(s.alert for s in scenarios.ALL))
    assert set(scenarios.BY_NAME) == set(alerts.BY_NAME)


@pytest.mark.parametrize("name", _FIRING)
def test_an_alert_fires_beyond_its_limit_after_its_time_and_ends(
    name: str, rules: dict[str, Path], tmp_path: Path
) -> None:
    scenario = scenarios.BY_NAME[name]
    code, said = judge([fires(scenario)], tmp_path, needed(rules["prod"], name, tmp_path), scenario.step)
    assert code == 0, said


@pytest.mark.parametrize("name", _FIRING)
def test_an_alert_is_quiet_one_step_below_its_limit(name: str, rules: dict[str, Path], tmp_path: Path) -> None:
    scenario = scenarios.BY_NAME[name]
    assert scenario.quiet
    assert scenario.quiet != scenario.bad
    code, said = judge([stays_quiet(scenario)], tmp_path, needed(rules["prod"], name, tmp_path), scenario.step)
    assert code == 0, said


def test_without_any_data_exactly_those_fire_that_watch_for_it(rules: dict[str, Path], tmp_path: Path) -> None:
    # Where nothing changes, it does not matter how often it is looked at; below the five minutes that a sample lasts.
    step = 240
    longest = max(alert.for_seconds for alert in alerts.ALL) + 10 * step
    asked: list[dict[str, Any]] = []
    for scenario in scenarios.ALL:
        firing = f'count(ALERTS{{alertname="{scenario.alert}", alertstate="firing"}})'
        samples = [{"labels": "{}", "value": scenario.absent}] if scenario.absent else []
        asked.append({"expr": firing, "eval_time": f"{longest}s", "exp_samples": samples})
    test: dict[str, Any] = {"interval": "30s", "input_series": [], "promql_expr_test": asked}
    code, said = judge([test], tmp_path, rules["prod"], step)
    assert code == 0, said


def test_promtool_notices_a_wrong_annotation(rules: dict[str, Path], tmp_path: Path) -> None:
    scenario = scenarios.BY_NAME["RedisMemoryHigh"]
    alert = alerts.BY_NAME[scenario.alert]
    wanted = expected(alert, scenario)
    wanted[0]["exp_annotations"]["summary"] = "Redis uses 99% of its memory"
    at = alert.for_seconds + 120
    test = document(scenario, scenario.bad, at, [(at, wanted)])
    code, said = judge([test], tmp_path, needed(rules["prod"], scenario.alert, tmp_path), scenario.step)
    assert code == 1
    assert "80.1%" in said


@pytest.mark.parametrize("failing", [0.0, 1.0])
def test_few_requests_burn_no_budget(failing: float, rules: dict[str, Path], tmp_path: Path) -> None:
    """Of twenty requests an hour a single failure is 5%."""
    burns = [name for name in alerts.BY_NAME if "BudgetBurn" in name]
    assert len(burns) == 8
    test: dict[str, Any] = {
        "interval": "60s",
        "input_series": [
            {"series": name, "values": values(value, 7200, 60)}
            for name, value in scenarios.traffic(failing, failing, 20 / 3600).items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count(ALERTS{alertname=~".*BudgetBurn.*"})',
                "eval_time": f"{at}s",
                "exp_samples": [],
            }
            for at in (600, 3600, 7200)
        ],
    }
    code, said = judge([test], tmp_path, needed(rules["prod"], burns[0], tmp_path, *burns[1:]), 60)
    assert code == 0, said


def test_what_is_left_of_a_budget_is_recorded(rules: dict[str, Path], tmp_path: Path) -> None:
    """A quarter of the failures that are allowed leaves three quarters; twice the slow ones, less than nothing."""
    asked = [
        {
            "expr": f"round({level.budget.name}, 0.01)",
            "eval_time": "2h",
            "exp_samples": [{"labels": '{job="api-gateway", namespace="crypto"}', "value": left}],
        }
        for level, left in ((objectives.AVAILABILITY, 0.75), (objectives.LATENCY, -1))
    ]
    series = [
        {"series": name, "values": values(value, 7200, 60)} for name, value in scenarios.traffic(0.00125, 0.1).items()
    ]
    test = {"interval": "60s", "input_series": series, "promql_expr_test": asked}
    budgets = [level.budget.name for level in objectives.LEVELS]
    code, said = judge([test], tmp_path, needed(rules["prod"], budgets[0], tmp_path, *budgets[1:]), 60)
    assert code == 0, said


@pytest.mark.parametrize("cause", routing.CAUSES, ids=lambda cause: cause.source.name)
def test_an_alert_that_silences_others_has_the_labels_that_must_be_equal(cause: routing.Cause) -> None:
    for alert in (cause.source, *cause.targets):
        labels = {*scenarios.BY_NAME[alert.name].labels, "namespace", "severity", "team", "alertname"}
        assert set(cause.equal) <= labels, alert.name
