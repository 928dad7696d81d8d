"""The PrometheusRule: every alert and recording rule of the runbook (chapter 3)."""

from __future__ import annotations

from typing import Final

from components.context import Context
from components.monitoring.custom_resource import Manifest, selected_metadata
from runbook import alerts
from runbook.alerting.rendering import Scope, rule_groups
from runbook.sections import Section
from runbook.settings import Settings

NAME: Final = "crypto-alerts"


def scope(settings: Settings) -> Scope:
    """What of the stack stands in its rules and dashboards."""
    return Scope(settings.namespace, settings.monitoring.runbook_url)


def prometheus_rule(context: Context) -> Manifest:
    """The rules, as a rule file would have them."""
    return Manifest(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        selected_metadata(NAME, Section.INCIDENT_PROCESS, context),
        rule_groups(alerts.GROUPS, scope(context.settings)),
    )
