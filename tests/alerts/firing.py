"""promtool's tests of a scenario: its alert fires, and it stays quiet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from components.monitoring.prometheus_rule import scope
from runbook import alerts
from runbook.alerting import objectives
from runbook.alerting.model import NAMESPACE, Alert, description
from tests.alerts.scenarios import Scenario, Value
from tests.program.settings import load

_BURNS: Final = {
    objectives.ERROR_BURN_1H: objectives.HOUR,
    objectives.ERROR_BURN_6H: objectives.SIX_HOURS,
    objectives.ERROR_BURN_1D: objectives.DAY,
    objectives.ERROR_BURN_3D: objectives.THREE_DAYS,
    objectives.LATENCY_BURN_1H: objectives.HOUR,
    objectives.LATENCY_BURN_6H: objectives.SIX_HOURS,
    objectives.LATENCY_BURN_1D: objectives.DAY,
    objectives.LATENCY_BURN_3D: objectives.THREE_DAYS,
}
_LABEL: Final = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
_VALUE: Final = re.compile(r"\{\{ \$value[^}]*\}\}")


def _window(alert: Alert) -> int:
    """How long the past is remembered: of two windows the shorter one ends the alert."""
    return _BURNS[alert].short if alert in _BURNS else alert.window_seconds


def values(value: Value, seconds: int, step: int) -> str:
    """A series' samples as promtool reads them."""
    numbers = (value(at) for at in range(0, seconds + 1, step))
    return " ".join("_" if number is None else f"{number:.15g}" for number in numbers)


def _then(first: dict[str, Value], second: dict[str, Value], moment: int) -> dict[str, Value]:
    """The first series until a moment, and the second ones from then on; counters go on from where they are."""

    def joined(name: str) -> Value:
        before, after = first.get(name), second.get(name)
        return lambda at: (before(at) if before else None) if at <= moment else (after(at) if after else None)

    return {name: joined(name) for name in first | second}


def _texts(alert: Alert, scenario: Scenario) -> dict[str, str]:
    def filled(text: str) -> str:
        return _VALUE.sub(scenario.shown, _LABEL.sub(lambda found: scenario.labels[found[1]], text))

    commands = "\n".join((*alert.diagnosis, *alert.remedies)).replace(NAMESPACE, "crypto")
    texts = {"summary": alert.summary, "description": description(alert), "commands": commands}
    filled_in = {name: filled(text) for name, text in texts.items()}
    return {**filled_in, "runbook_url": scope(load("prod")).alert_link(alert)}


def expected(alert: Alert, scenario: Scenario) -> list[dict[str, Any]]:
    """The one alert that fires, with its labels and its texts filled in."""
    labels = {
        **scenario.labels,
        "severity": alert.severity.name,
        "team": str(alert.team),
        "namespace": "crypto",
    }
    return [{"exp_labels": labels, "exp_annotations": _texts(alert, scenario)}]


def document(
    scenario: Scenario, series: dict[str, Value], until: int, asked: list[tuple[int, Any]], names: Sequence[str] = ()
) -> dict[str, Any]:
    """Series until a moment, and which alerts fire at some; ``names`` where the alert stands under others."""
    shown = [{"series": name, "values": values(value, until, scenario.step)} for name, value in series.items()]
    return {
        "interval": f"{scenario.step}s",
        "input_series": shown,
        "alert_rule_test": [
            {"eval_time": f"{at}s", "alertname": name, "exp_alerts": firing}
            for name in names or (scenario.alert,)
            for at, firing in asked
        ],
    }


def fires(scenario: Scenario, names: Sequence[str] = ()) -> dict[str, Any]:
    """Bad for long enough, and good again: not yet, firing, over."""
    alert = alerts.BY_NAME[scenario.alert]
    # A rate needs two samples, and a recording rule is one evaluation old when the alert reads it.
    fired = alert.for_seconds + 4 * scenario.step
    bad, good = scenario.bad, scenario.quiet if scenario.good is None else scenario.good
    # Until the window has forgotten; a step more for each of the same delays.
    over = fired + _window(alert) + alert.for_seconds + 4 * scenario.step
    early: list[tuple[int, Any]] = [(alert.for_seconds - scenario.step, [])] if alert.for_seconds else []
    asked: list[tuple[int, Any]] = [*early, (fired, expected(alert, scenario)), (over, [])]
    return document(scenario, _then(bad, good, fired), over, asked, names)


def stays_quiet(scenario: Scenario, names: Sequence[str] = ()) -> dict[str, Any]:
    """One step below the limit for long enough."""
    alert = alerts.BY_NAME[scenario.alert]
    until = min(_window(alert), 3600) + 2 * alert.for_seconds + 4 * scenario.step
    return document(scenario, scenario.quiet, until, [(until, [])], names)
