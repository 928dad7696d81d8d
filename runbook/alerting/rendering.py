"""Alerts as Prometheus reads them: one structure for a rule file and for the spec of a PrometheusRule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runbook.alerting.durations import EVALUATION_SECONDS
from runbook.alerting.model import NAMESPACE, WINDOW, Alert, Group, Recording, description
from runbook.sections import RUNBOOK_PAGE, Section
from runbook.units import prometheus_duration


@dataclass(frozen=True, slots=True)
class Scope:
    """What a stack decides about its rules: the namespace that they watch, and where the printed runbook is read.

    ``runbook_url`` is the address of the repository's root; a section's link is added to it.
    """

    namespace: str
    runbook_url: str

    def query(self, text: str, window_seconds: int = 0) -> str:
        """PromQL with its marks filled in."""
        filled = text.replace(NAMESPACE, self.namespace)
        return filled.replace(WINDOW, prometheus_duration(window_seconds)) if window_seconds else filled

    def alert_link(self, alert: Alert) -> str:
        """Where an alert of the printed runbook is read."""
        return f"{self.runbook_url.rstrip('/')}/{RUNBOOK_PAGE}#{alert.anchor}"

    def link(self, section: Section) -> str:
        """Where a section of the printed runbook is read."""
        return f"{self.runbook_url.rstrip('/')}/{section.link}"


def rule_groups(groups: Iterable[Group], scope: Scope) -> dict[str, Any]:
    """The content of a rule file, which is also the spec of a PrometheusRule."""
    return {"groups": [_group(group, scope) for group in groups]}


def _group(group: Group, scope: Scope) -> dict[str, Any]:
    rules = [_alert(rule, scope) if isinstance(rule, Alert) else _recording(rule, scope) for rule in group.rules]
    return {"name": group.name, "interval": prometheus_duration(EVALUATION_SECONDS), "rules": rules}


def _recording(rule: Recording, scope: Scope) -> dict[str, Any]:
    labels = {"namespace": scope.namespace}
    return {"record": rule.name, "expr": scope.query(rule.query, rule.window_seconds), "labels": labels}


def _alert(alert: Alert, scope: Scope) -> dict[str, Any]:
    # The operator gives every route of an AlertmanagerConfig a matcher of its own namespace: an alert without the
    # label, such as one on a node, would reach nobody.
    labels = {"severity": alert.severity.name, "team": str(alert.team), "namespace": scope.namespace}
    annotations = {
        "summary": alert.summary,
        "description": description(alert),
        "runbook_url": scope.alert_link(alert),
        # What whoever is told types first; Prometheus fills in the labels.
        "commands": "\n".join((*alert.diagnosis, *alert.remedies)).replace(NAMESPACE, scope.namespace),
    }
    held = {"for": prometheus_duration(alert.for_seconds)} if alert.for_seconds else {}
    expression = scope.query(alert.condition.expression, alert.window_seconds)
    return {"alert": alert.name, "expr": expression, **held, "labels": labels, "annotations": annotations}
