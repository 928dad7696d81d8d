"""What a notification says, by the way that it takes. Alertmanager fills in the templates."""

from __future__ import annotations

from typing import Any, Final

from runbook.alerting.routing import Receiver
from runbook.severities import P1

ROUTING_KEY: Final = "routing-key"
WEBHOOK_KEY: Final = "url"

_TITLE: Final = "{{ .CommonLabels.severity }} {{ .CommonLabels.alertname }}"
_RUNBOOK: Final = "{{ (index .Alerts 0).Annotations.runbook_url }}"
_COUNT: Final = '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}]'
# Alertmanager escapes nothing for Slack, and a label's value can come from a service: `<!channel>` calls everybody.
_ESCAPED: Final = """ | reReplaceAll "&" "&amp;" | reReplaceAll "<" "&lt;" | reReplaceAll ">" "&gt;" """
# Three of them would end the block of commands.
_IN_BLOCK: Final = f"""{_ESCAPED}| reReplaceAll "```" "'''" """
_TEXT: Final = (
    f"{{{{ range .Alerts }}}}*{{{{ .Annotations.summary{_ESCAPED}}}}}*\n"
    f"{{{{ .Annotations.description{_ESCAPED}}}}}\n"
    f"```{{{{ .Annotations.commands{_IN_BLOCK}}}}}```\n"
    "<{{ .Annotations.runbook_url }}|Runbook>\n{{ end }}"
)
_FIRST: Final = "{{ (index .Alerts 0).Annotations.%s }}"


def pager(receiver: Receiver, secret: str) -> dict[str, Any]:
    """A PagerDuty incident, by the Events API; the routing key stays in its Secret."""
    return {
        "routingKey": {"name": secret, "key": ROUTING_KEY},
        "sendResolved": True,
        "severity": "critical" if receiver.severity is P1 else "error",
        "class": "{{ .CommonLabels.alertname }}",
        "component": "{{ .CommonLabels.namespace }}",
        "group": "{{ .CommonLabels.team }}",
        "description": f"{_TITLE}: {{{{ (index .Alerts 0).Annotations.summary }}}}",
        "details": [{"key": name, "value": _FIRST % name} for name in ("description", "commands")],
        "pagerDutyLinkConfigs": [{"href": _RUNBOOK, "alt": "Runbook"}],
    }


def chat(receiver: Receiver, secret: str, channel: str) -> dict[str, Any]:
    """A Slack message; its address is the secret."""
    called = f"{receiver.role}: nobody has ended " if receiver.role else ""
    return {
        "apiURL": {"name": secret, "key": WEBHOOK_KEY},
        "channel": channel,
        "sendResolved": receiver.hears_of_the_end,
        "title": f"{_COUNT} {called}{_TITLE}",
        "titleLink": _RUNBOOK,
        "text": _TEXT,
    }


def heartbeat(receiver: Receiver, secret: str) -> dict[str, Any]:
    """The sign of life; who knows its address could feign it, so that it stays in its Secret."""
    return {"urlSecret": {"name": secret, "key": WEBHOOK_KEY}, "sendResolved": receiver.hears_of_the_end}


def webhook(receiver: Receiver, url: str) -> dict[str, Any]:
    """Alertmanager's own JSON to an address."""
    return {"url": url, "sendResolved": receiver.hears_of_the_end}
