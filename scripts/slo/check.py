"""``ops slo``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

from runbook import slo
from runbook.ops_settings import OpsSettings
from runbook.printed_values import value as printed
from runbook.slo import Objective
from runbook.thresholds import Unit
from runbook.units import duration
from scripts import reporting
from scripts.clients import prometheus
from scripts.clients.prometheus import Sample
from scripts.exits import Exit, TemporaryError
from scripts.health import check as health
from scripts.health.model import Check, Finding, Result, Status
from scripts.notify import Message
from scripts.output import Outcome, say

_MISSING: Final = "no data: the metric is missing, or nothing is scraped"
_NOT_A_NUMBER: Final = "no figure: there were no requests in the window"


def run(settings: OpsSettings, *, timeout: float, notify: bool = True) -> Outcome:
    """Every objective at once; the code is 1 unless each of them is met.

    Raises:
        UsageError: the settings name no Prometheus.
        TemporaryError: it does not answer; people are told that nobody looked.
    """
    try:
        with prometheus.connect(settings, timeout) as server:
            server.query("vector(1)")
    except TemporaryError as error:
        if notify:
            subject = f"[{settings.namespace}] dashboards: nobody could look"
            reporting.sent(settings, Message(subject, str(error)), Outcome({}, say()))
        raise
    results, outcome = health.judged(checks(settings), timeout, fine=(Status.OK,))
    if outcome.code is Exit.DONE or not notify:
        return outcome
    return reporting.sent(settings, _message(settings, results), outcome)


def checks(settings: OpsSettings) -> list[Check]:
    """One check for each objective; an answer that comes too late is a figure that is unknown."""
    return [
        Check(objective.name, partial(_look, settings, objective), late=Status.UNKNOWN)
        for objective in slo.objectives(settings.namespace)
    ]


def judge(objective: Objective, samples: Sequence[Sample]) -> Finding:
    """The finding on what the expression yielded; without a figure it is unknown, never fine."""
    limit = f"< {printed(objective.limit)}"
    if not samples:
        return Finding(objective.name, Status.UNKNOWN, "", limit, _MISSING)
    if any(math.isnan(sample.value) for sample in samples):
        return Finding(objective.name, Status.UNKNOWN, "", limit, _NOT_A_NUMBER)
    greatest = max(samples, key=lambda sample: sample.value)
    status = Status.OK if greatest.value < objective.limit.value else Status.FAIL
    return Finding(
        objective.name, status, shown(greatest.value, objective.limit.unit), limit, _series(objective, greatest)
    )


def shown(number: float, unit: Unit) -> str:
    """A measured figure as people read it, e.g. ``0.31%``, ``184 ms``, ``2 min 5 s``."""
    if not math.isfinite(number):
        return str(number)
    if unit is Unit.RATIO:
        return f"{number:.2%}"
    if unit is Unit.SECONDS:
        return f"{number * 1000:.0f} ms" if number < 1 else duration(number)
    return f"{number:g}"


def _look(settings: OpsSettings, objective: Objective, timeout: float) -> Sequence[Finding]:
    try:
        with prometheus.connect(settings, timeout) as server:
            return [judge(objective, server.query(objective.expression))]
    except TemporaryError as error:
        return [Finding(objective.name, Status.UNKNOWN, "", f"< {printed(objective.limit)}", str(error))]


def _series(objective: Objective, sample: Sample) -> str:
    return f"{objective.label} {sample.labels.get(objective.label, 'unnamed')}" if objective.label else ""


def _message(settings: OpsSettings, results: Sequence[Result]) -> Message:
    findings = [result.finding for result in results]
    bad = [finding for finding in findings if finding.status is not Status.OK]
    good = [finding for finding in findings if finding.status is Status.OK]
    lines = [_line(finding) for finding in (*bad, *good)]
    names = ", ".join(finding.name for finding in bad)
    return Message(f"[{settings.namespace}] dashboards: {names}", "\n".join(lines))


def _line(finding: Finding) -> str:
    figure = finding.value or "no figure"
    return f"{finding.status:8}{finding.name}: {figure} (must be {finding.threshold}) {finding.detail}".rstrip()
