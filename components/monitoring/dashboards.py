"""Grafana's dashboards, as ConfigMaps that its sidecar collects by their label (section 1.2)."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builder
from grafana_foundation_sdk.builders import prometheus, timeseries
from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef, Threshold, ThresholdsMode
from pulumi_kubernetes import core

from components.context import Context
from components.monitoring.custom_resource import labelled_metadata
from components.monitoring.prometheus_rule import scope
from runbook import dashboards
from runbook.alerting.model import number
from runbook.alerting.rendering import Scope

SIDECAR_LABEL: Final = "grafana_dashboard"
_SOURCE: Final = "datasource"
# Half of Grafana's 24 columns, and rows of 30 pixels.
_WIDTH, _HEIGHT = 12, 8


def panel_builder(panel: dashboards.Panel, scope: Scope) -> timeseries.Panel:
    """A graph; its limit is a dashed line, beyond which it is red."""
    source = DataSourceRef(type_val="prometheus", uid=f"${{{_SOURCE}}}")
    target = (
        prometheus.Dataquery()
        .expr(scope.query(panel.query, panel.window_seconds))
        .legend_format(f"{{{{{panel.legend}}}}}")
        .datasource(source)
        .ref_id("A")
    )
    graph = timeseries.Panel().title(panel.title).datasource(source).unit(panel.display).span(_WIDTH).height(_HEIGHT)
    graph = graph.with_target(target)
    if not panel.may_be_negative:
        graph = graph.min(0)
    if panel.limit is None:
        return graph
    colors = ("red", "green") if panel.falls else ("green", "red")
    # Grafana's first step has no value: it reaches from the lowest one up to the next step's.
    steps = [Threshold(color=colors[0]), Threshold(value=float(number(panel.limit)), color=colors[1])]
    limits = builder.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    style = GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    return graph.thresholds(limits).thresholds_style(style)


def dashboard_json(dashboard: dashboards.Dashboard, scope: Scope) -> str:
    """The dashboard as Grafana imports it; the viewer chooses the Prometheus."""
    built = (
        builder.Dashboard(dashboard.title)
        .uid(f"crypto-{dashboard.name}")
        .tags(["crypto", "runbook"])
        .timezone("utc")
        .refresh("1m")
        .time("now-6h", "now")
        .readonly()
        .link(builder.DashboardLink("Runbook").type(DashboardLinkType.LINK).url(scope.link(dashboard.section)))
        .annotation(
            builder.AnnotationQuery()
            .name("Alerts")
            .datasource(DataSourceRef(type_val="prometheus", uid=f"${{{_SOURCE}}}"))
            .enable(enable=True)
            .icon_color("red")
            .expr(scope.query(dashboards.ALERTS_FIRED))
        )
        .with_variable(builder.DatasourceVariable(_SOURCE).label("Prometheus").type("prometheus"))
    )
    for panel in dashboard.panels:
        built = built.with_panel(panel_builder(panel, scope))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def config_map_args(dashboard: dashboards.Dashboard, context: Context) -> core.v1.ConfigMapInitArgs:
    """The ConfigMap of a dashboard."""
    name = f"dashboard-{dashboard.name}"
    return core.v1.ConfigMapInitArgs(
        metadata=labelled_metadata(name, dashboard.section, context, {SIDECAR_LABEL: "1"}),
        data={f"{dashboard.name}.json": dashboard_json(dashboard, scope(context.settings))},
    )
