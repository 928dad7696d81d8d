"""No comparison, number, operand or waiting time of an alert can be changed without a test that notices."""

from __future__ import annotations

import re
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


def _noticed(name: str, found: dict[str, Mutant], rules: Path, folder: Path) -> set[str]:
    """Which rules, by the name they stand under, any scenario or case of the alert finds wrong."""
    path = needed(rules, name, folder)
    content = yaml.safe_load(path.read_text())
    for group in content["groups"]:
        if any(rule.get("alert") == name for rule in group["rules"]):
            kept = [rule for rule in group["rules"] if "alert" not in rule]
            group["rules"] = [*kept, *({**mutant.rule, "alert": alert} for alert, mutant in found.items())]
    path.write_text(yaml.safe_dump(content))
    scenario = scenarios.BY_NAME[name]
    tests = [firing.fires(scenario, [*found]), firing.stays_quiet(scenario, [*found])]
    judged = [(tests, scenario.step)]
    nothing = Case(name, "without any data", {}, alerts.BY_NAME[name].for_seconds + 300, scenario.absent)
    stated = [nothing, *(case for case in cases.ALL if case.name == name)]
    judged.append(([cases.document(case, [*found]) for case in stated], 30))
    said = "".join(judge(documents, folder, path, step)[1] for documents, step in judged)
    return set(_NAMED.findall(said))


def _rule(name: str, rules: Path) -> dict[str, Any]:
    groups = yaml.load(rules.read_text(), Loader=yaml.CSafeLoader)["groups"]
    return next(rule for group in groups for rule in group["rules"] if rule.get("alert") == name)


@pytest.mark.parametrize("name", sorted(scenarios.BY_NAME.keys() - _COUNTED))
def test_every_mutant_of_an_alert_is_noticed(name: str, rules: dict[str, Path], tmp_path: Path) -> None:
    rule, alert = _rule(name, rules["prod"]), alerts.BY_NAME[name]
    made = list(mutants.of_rule(rule, alert.for_seconds, scenarios.BY_NAME[name].step))
    assert made
    named = {f"Mutant{number}": mutant for number, mutant in enumerate(made)}
    noticed = _noticed(name, {_UNCHANGED: Mutant(rule, "nothing"), **named}, rules["prod"], tmp_path)
    assert _UNCHANGED not in noticed
    survivors = [mutant.change for key, mutant in named.items() if key not in noticed]
    assert survivors == [], f"{len(survivors)} of {len(made)} mutants live:\n" + "\n".join(survivors)
