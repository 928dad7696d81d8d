"""The monitoring of the system: one component for all that Prometheus, Alertmanager and Grafana are told."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes import core

from components.context import Context, child
from components.monitoring.alertmanager_config import alertmanager_config
from components.monitoring.dashboards import config_map_args
from components.monitoring.prometheus_rule import NAME, prometheus_rule
from components.monitoring.service_monitors import TARGETS, service_monitor
from runbook import dashboards


class Monitoring(pulumi.ComponentResource):
    """Rules, routes, targets and dashboards."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:monitoring:Monitoring", name, None, opts)
        self.prometheus_rule = prometheus_rule(context).register(f"{name}-rules", child(self))
        self.alertmanager_config = alertmanager_config(context).register(f"{name}-routes", child(self))
        self.service_monitors = {
            target.job: service_monitor(target, context).register(f"{name}-{target.job}", child(self))
            for target in TARGETS
        }
        self.dashboards = {
            dashboard.name: core.v1.ConfigMap(
                f"{name}-dashboard-{dashboard.name}", config_map_args(dashboard, context), child(self)
            )
            for dashboard in dashboards.ALL
        }
        self.register_outputs({"rules": NAME, "targets": sorted(self.service_monitors)})
