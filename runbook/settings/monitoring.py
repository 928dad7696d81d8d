"""Settings of what watches the system, and of who is told."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from runbook.formats import DnsLabel, DnsName, Line, MailAddress, Port, Switch, WebAddress
from runbook.settings.base import Model


class GrafanaSettings(Model):
    """The cluster's Grafana: it gets dashboards, a certificate and an Ingress at ``grafana.<domain>``."""

    namespace: DnsLabel = "monitoring"
    service: DnsLabel | None = Field(default=None, description="left out: no Ingress for it")
    port: Port = 80


class MonitoringSettings(Model):
    """The cluster's Prometheus (by its operator): where it runs, which labels it selects by, where it answers."""

    namespace: DnsLabel = "monitoring"
    labels: dict[str, str] = Field(default_factory=lambda: {"release": "kube-prometheus-stack"}, min_length=1)
    prometheus_url: WebAddress = "http://prometheus-operated.monitoring.svc:9090"
    runbook_url: WebAddress = Field(
        default="https://git.example.com/crypto-operations/blob/main",
        description="where people read this repository: alerts link to docs/runbook.md below it",
    )
    grafana: GrafanaSettings = GrafanaSettings()


class AlertingSettings(Model):
    """Who gets alerts. Secrets are named; ``webhookUrl`` is for environments without PagerDuty and Slack.

    Who pages people has a heartbeat, too: a Prometheus or an Alertmanager that is gone pages nobody.
    """

    pagerduty_secret: DnsLabel | None = Field(default=None, description="Secret with the key routing-key")
    slack_secret: DnsLabel | None = Field(default=None, description="Secret with the key url, a webhook's address")
    slack_channel: str = "#incidents"
    webhook_url: WebAddress | None = Field(default=None, description="gets every notification")
    heartbeat_secret: DnsLabel | None = Field(
        default=None,
        description="Secret with the key url, which expects a sign of life and raises the alarm when none comes; "
        "needed with pagerdutySecret",
    )
    heartbeat_url: WebAddress | None = Field(
        default=None, description="the same address in plain, where it is no secret"
    )

    @model_validator(mode="after")
    def _heartbeat(self) -> Self:
        if self.heartbeat_secret and self.heartbeat_url:
            raise ValueError("heartbeatSecret and heartbeatUrl are both set; one sign of life has one address")
        if self.pagerduty_secret and not (self.heartbeat_secret or self.heartbeat_url):
            raise ValueError(
                "pagerdutySecret is set without heartbeatSecret: when alerting itself is down, nobody is paged and "
                "nobody notices; name a Secret whose key url is the address that expects a sign of life"
            )
        return self


class MailSettings(Model):
    """The SMTP server of the jobs' reports."""

    host: DnsName
    port: Port = 587
    sender: MailAddress
    recipients: tuple[MailAddress, ...] = Field(min_length=1)
    tls: Switch = True
    user: Line | None = None
    secret: DnsLabel | None = Field(default=None, description="Secret with the key password")

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.user is None) != (self.secret is None):
            raise ValueError("user and secret belong together: set both, or neither where the server wants no login")
        return self


class NotificationSettings(Model):
    """Where the jobs' reports go: mail, Slack, both or neither."""

    mail: MailSettings | None = None
    slack_secret: DnsLabel | None = Field(default=None, description="Secret with the key url, a webhook's address")
