"""The AlertmanagerConfig: who gets which notification, and when (sections 2.1, 2.4 and 8.1)."""

from __future__ import annotations

from typing import Any, Final

from components.context import Context
from components.monitoring.custom_resource import Manifest, selected_metadata
from components.monitoring.notifications import chat, heartbeat, pager, webhook
from runbook.alerting import routing
from runbook.alerting.routing import Cause, Channel, Inhibition, Receiver, Route, Window
from runbook.sections import Section
from runbook.settings import AlertingSettings
from runbook.units import prometheus_duration, time_of_day

NAME: Final = "crypto-routes"


def alertmanager_config(context: Context) -> Manifest:
    """Routes, receivers, inhibitions and maintenance windows."""
    return Manifest(
        # The operator's default bundle serves this version alone.
        "monitoring.coreos.com/v1alpha1",
        "AlertmanagerConfig",
        selected_metadata(NAME, Section.SEVERITIES, context),
        config_spec(context.settings.alerting),
    )


def config_spec(alerting: AlertingSettings) -> dict[str, Any]:
    """The spec. The operator adds a matcher of the namespace to the first route and to both sides of inhibitions."""
    return {
        "route": {
            "receiver": routing.FALLBACK.name,
            "groupBy": list(routing.GROUP_BY),
            "routes": [route_spec(route) for route in routing.ROUTES],
        },
        "receivers": [receiver_spec(receiver, alerting) for receiver in routing.RECEIVERS],
        "inhibitRules": [
            *(inhibition_spec(rule) for rule in routing.INHIBITIONS),
            *(cause_spec(cause) for cause in routing.CAUSES),
        ],
        "muteTimeIntervals": [window_spec(window) for window in routing.WINDOWS],
    }


def route_spec(route: Route) -> dict[str, Any]:
    """A route below the outermost. Maintenance windows are not inherited, so that each route names its own."""
    return {
        "matchers": [{"name": name, "matchType": "=", "value": value} for name, value in route.matchers],
        "receiver": route.receiver.name,
        "groupBy": list(routing.GROUP_BY),
        "groupWait": prometheus_duration(route.wait),
        "groupInterval": prometheus_duration(route.interval),
        "repeatInterval": prometheus_duration(route.repeat),
        "continue": route.proceed,
        "muteTimeIntervals": [window.name for window in routing.WINDOWS] if route.muted else [],
    }


def receiver_spec(receiver: Receiver, alerting: AlertingSettings) -> dict[str, Any]:
    """A receiver with those of its channels that the stack has; without any it swallows what it gets."""
    spec: dict[str, Any] = {"name": receiver.name}
    if Channel.PAGER in receiver.channels and alerting.pagerduty_secret:
        spec["pagerdutyConfigs"] = [pager(receiver, alerting.pagerduty_secret)]
    if Channel.CHAT in receiver.channels and alerting.slack_secret:
        spec["slackConfigs"] = [chat(receiver, alerting.slack_secret, alerting.slack_channel)]
    sign_of_life = Channel.HEARTBEAT in receiver.channels
    url = alerting.heartbeat_url if sign_of_life else alerting.webhook_url
    if sign_of_life and alerting.heartbeat_secret:
        spec["webhookConfigs"] = [heartbeat(receiver, alerting.heartbeat_secret)]
    elif url:
        spec["webhookConfigs"] = [webhook(receiver, url)]
    return spec


def inhibition_spec(rule: Inhibition) -> dict[str, Any]:
    """The worse one of two alerts silences the other."""
    lower = "|".join(severity.name for severity in rule.targets)
    return {
        "sourceMatch": [{"name": "severity", "matchType": "=", "value": rule.source.name}],
        "targetMatch": [{"name": "severity", "matchType": "=~", "value": lower}],
        "equal": list(rule.equal),
    }


def cause_spec(cause: Cause) -> dict[str, Any]:
    """An alert silences those that only tell what follows from it."""
    targets = "|".join(alert.name for alert in cause.targets)
    return {
        "sourceMatch": [{"name": "alertname", "matchType": "=", "value": cause.source.name}],
        "targetMatch": [{"name": "alertname", "matchType": "=~", "value": targets}],
        "equal": list(cause.equal),
    }


def window_spec(window: Window) -> dict[str, Any]:
    """A maintenance window; weekday and days of the month must both fit, which cron cannot say (defect 12)."""
    interval: dict[str, Any] = {
        "weekdays": [window.weekday],
        "times": [{"startTime": time_of_day(window.start_minute), "endTime": time_of_day(window.end_minute)}],
    }
    if window.days_of_month is not None:
        start, end = window.days_of_month
        interval["daysOfMonth"] = [{"start": start, "end": end}]
    return {"name": window.name, "timeIntervals": [interval]}
