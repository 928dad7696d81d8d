"""No comparison, number, operand or waiting time of an alert can be changed without a test that notices."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook import alerts
from runbook.alerting.watching import METRIC_MISSING, WATCHDOG
from tests.alert_mutation import mutants
from tests.alert_mutation.mutants import Mutant
from tests.alerts import cases, firing, scenarios
from tests.alerts.cases import Case
from tests.alerts.needed import needed
from tests.alerts.tools import judge

_NAMED = re.compile(r'alertname(?:: |=\\?")(\w+)')
_UNCHANGED = "Unchanged"
# Each part of its long `or` is counted by the test without any data; as mutants they would take as long as all others.
_COUNTED = {METRIC_MISSING.name, WATCHDOG.name}


_Make = Callable[[list[str]], dict[str, Any]]


def _tests(name: str) -> list[tuple[_Make, int]]:
    """promtool's tests of an alert, made for the names it stands under, and their steps; the shortest first."""
    scenario = scenarios.BY_NAME[name]
    nothing = Case(name, "without any data", {}, alerts.BY_NAME[name].for_seconds + 300, scenario.absent)
    stated = (nothing, *(case for case in cases.ALL if case.name == name))
    found: list[tuple[_Make, int]] = [
        (partial(firing.fires, scenario), scenario.step),
        (partial(firing.stays_quiet, scenario), scenario.step),
        *((partial(cases.document, case), case.step) for case in stated),
    ]
    return sorted(found, key=lambda test: _evaluations(*test))


def _evaluations(make: _Make, step: int) -> int:
    """How often promtool evaluates each rule."""
    test = make([_UNCHANGED])
    asked = [*test.get("alert_rule_test", ()), *test.get("promql_expr_test", ())]
    return max(int(question["eval_time"].removesuffix("s")) for question in asked) // step


def _survivors(name: str, made: dict[str, Mutant], rules: Path, folder: Path) -> list[Mutant]:
    """The mutants, by the name they stand under, that no scenario and no case of the alert finds wrong.

    A test is asked of those that no test before it has found wrong. In the rule as it is no test finds anything wrong.
    """
    path = needed(rules, name, folder)
    content = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    group = next(group for group in content["groups"] if any(rule.get("alert") == name for rule in group["rules"]))
    unchanged = next(rule for rule in group["rules"] if rule.get("alert") == name)
    kept = [rule for rule in group["rules"] if "alert" not in rule]
    left = dict(made)
    for make, step in _tests(name):
        named = {_UNCHANGED: unchanged, **{alert: mutant.rule for alert, mutant in left.items()}}
        group["rules"] = [*kept, *({**rule, "alert": alert} for alert, rule in named.items())]
        path.write_text(yaml.safe_dump(content))
        noticed = set(_NAMED.findall(judge([make([*named])], folder, path, step)[1]))
        assert _UNCHANGED not in noticed
        left = {alert: mutant for alert, mutant in left.items() if alert not in noticed}
        if not left:
            break
    return [*left.values()]


def _rule(name: str, rules: Path) -> dict[str, Any]:
    groups = yaml.load(rules.read_text(), Loader=yaml.CSafeLoader)["groups"]
    return next(rule for group in groups for rule in group["rules"] if rule.get("alert") == name)


@pytest.mark.parametrize("name", sorted(scenarios.BY_NAME.keys() - _COUNTED))
def test_every_mutant_of_an_alert_is_noticed(name: str, rules: dict[str, Path], tmp_path: Path) -> None:
    rule, alert = _rule(name, rules["prod"]), alerts.BY_NAME[name]
    made = list(mutants.of_rule(rule, alert.for_seconds, scenarios.BY_NAME[name].step))
    assert made
    named = {f"Mutant{number}": mutant for number, mutant in enumerate(made)}
    survivors = [mutant.change for mutant in _survivors(name, named, rules["prod"], tmp_path)]
    assert survivors == [], f"{len(survivors)} of {len(made)} mutants live:\n" + "\n".join(survivors)
