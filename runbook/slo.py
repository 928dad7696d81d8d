"""What the hourly look at the dashboards measures (section 1.2), as PromQL.

The builders return expressions whose value is the measured figure in its threshold's unit, never a verdict: a check
compares it, an alert appends ``> limit``. No expression yields a figure where its metrics are missing. What the
recording rules compute, too, stands in ``runbook.alerting.expressions``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook import practices, services, thresholds
from runbook.alerting import expressions
from runbook.services import ServiceSpec
from runbook.thresholds import Threshold

# The check comes once an hour and looks back as far; what a node is doing now drowns in an hour.
WINDOW: Final = "1h"
NODE_WINDOW: Final = "15m"


@dataclass(frozen=True, slots=True)
class Objective:
    """A figure that must stay below ``limit``.

    ``expression`` may yield several series: the greatest counts, and ``label`` says which it is.
    """

    name: str
    expression: str
    limit: Threshold
    label: str = ""


def api_error_ratio(namespace: str, window: str = WINDOW, *, of: ServiceSpec = services.API_GATEWAY) -> str:
    """Users' requests that failed, of all (ratio); nothing without requests, 0 where none ever failed."""
    return expressions.error_ratio(namespace, window, _series(of))


def failed_requests(namespace: str, window: str, *, of: ServiceSpec) -> str:
    """Users' requests that failed in the window (count); 0 where none ever did."""
    failed = expressions.users(namespace, _series(of), 'status=~"5.."')
    return f"sum(increase({expressions.REQUESTS}{failed}[{window}])) or vector(0)"


def _series(of: ServiceSpec) -> str:
    return f'job="{of.name}"'


def api_latency_p95(namespace: str, window: str = WINDOW) -> str:
    """95th percentile of the API's response time (seconds); nothing without an edge at the limit."""
    return expressions.latency_p95(namespace, window, *expressions.of_gateway())


def node_cpu_ratio(window: str = NODE_WINDOW) -> str:
    """CPU in use by ``instance`` (ratio), from node_exporter or else from the kubelet."""
    used = f'sum by (instance) (rate(container_cpu_usage_seconds_total{{id="/"}}[{window}]))'
    return f"({expressions.node_cpu(window)}) or ({used} / sum by (instance) (machine_cpu_cores))"


def node_memory_ratio() -> str:
    """Memory in use by ``instance`` (ratio), from node_exporter or else from the kubelet."""
    used = 'sum by (instance) (container_memory_working_set_bytes{id="/"})'
    return f"({expressions.node_memory()}) or ({used} / sum by (instance) (machine_memory_bytes))"


def objectives(namespace: str) -> tuple[Objective, ...]:
    """Everything that the hourly check looks at, in the order of the dashboards."""
    return (
        Objective("api latency p95", api_latency_p95(namespace), thresholds.LATENCY_P95),
        Objective("node cpu", node_cpu_ratio(), thresholds.NODE_CPU_RATIO, "instance"),
        Objective("node memory", node_memory_ratio(), thresholds.NODE_MEMORY_RATIO, "instance"),
        Objective("prices updated", expressions.price_age(namespace), practices.PRICE_AGE),
        Objective("sentiment processed", expressions.sentiment_age(namespace), practices.SENTIMENT_AGE),
        Objective("api error ratio", api_error_ratio(namespace), thresholds.SLO_ERROR_RATIO),
    )
