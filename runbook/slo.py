"""What the hourly look at the dashboards measures (section 1.2), as PromQL.

The builders return expressions whose value is the measured figure in its threshold's unit, never a verdict: a check
compares it, an alert appends ``> limit``. No expression yields a figure where its metrics are missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runbook import practices, services, thresholds
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


def requests(namespace: str, *matchers: str) -> str:
    """Matchers of the API's own traffic, in braces: scrapes and probes answer fast and would dilute every figure."""
    gateway = services.API_GATEWAY
    own = (f'namespace="{namespace}"', f'job="{gateway.service_name}"', f'handler!~"/metrics|{gateway.health_path}"')
    return "{" + ",".join((*own, *matchers)) + "}"


def api_error_ratio(namespace: str, window: str = WINDOW) -> str:
    """Requests that failed, of all (ratio); nothing without requests, 0 where none ever failed."""
    failures, everything = requests(namespace, 'status=~"5.."'), requests(namespace)
    failed = f"sum(rate(http_requests_total{failures}[{window}]))"
    # A series of failures exists only from the first failure on: its absence is zero, that of all requests is not.
    return f"({failed} or vector(0)) / sum(rate(http_requests_total{everything}[{window}]))"


def api_latency_p95(namespace: str, window: str = WINDOW) -> str:
    """95th percentile of the API's response time (seconds).

    Nothing where the histogram has no edge at the limit: between two far edges the percentile is a guess.
    """
    metric, edge = "http_request_duration_seconds_bucket", f'le="{thresholds.LATENCY_P95.value:g}"'
    quantile = f"histogram_quantile(0.95, sum by (le) (rate({metric}{requests(namespace)}[{window}])))"
    return f"{quantile} and on() count({metric}{requests(namespace, edge)})"


def node_cpu_ratio(window: str = NODE_WINDOW) -> str:
    """CPU in use by ``instance`` (ratio), from node_exporter or else from the kubelet."""
    # Of all modes and not of the window's seconds: a node that has just joined has been idle for less than the window.
    idle, whole = (
        f"sum by (instance) (rate(node_cpu_seconds_total{mode}[{window}]))" for mode in ('{mode="idle"}', "")
    )
    exported = f"1 - {idle} / {whole}"
    used = f'sum by (instance) (rate(container_cpu_usage_seconds_total{{id="/"}}[{window}]))'
    return f"({exported}) or ({used} / sum by (instance) (machine_cpu_cores))"


def node_memory_ratio() -> str:
    """Memory in use by ``instance`` (ratio), from node_exporter or else from the kubelet."""
    available, total = (f"sum by (instance) (node_memory_{name}_bytes)" for name in ("MemAvailable", "MemTotal"))
    used = 'sum by (instance) (container_memory_working_set_bytes{id="/"})'
    return f"(1 - {available} / {total}) or ({used} / sum by (instance) (machine_memory_bytes))"


def price_age(namespace: str) -> str:
    """Time since any price was updated (seconds)."""
    return f'time() - max(prices_last_update_timestamp_seconds{{namespace="{namespace}"}})'


def sentiment_age(namespace: str) -> str:
    """Time since any text was scored (seconds)."""
    return f'time() - max(sentiment_last_update_timestamp_seconds{{namespace="{namespace}"}})'


def objectives(namespace: str) -> tuple[Objective, ...]:
    """Everything that the hourly check looks at, in the order of the dashboards."""
    return (
        Objective("api latency p95", api_latency_p95(namespace), thresholds.LATENCY_P95),
        Objective("node cpu", node_cpu_ratio(), thresholds.NODE_CPU_RATIO, "instance"),
        Objective("node memory", node_memory_ratio(), thresholds.NODE_MEMORY_RATIO, "instance"),
        Objective("prices updated", price_age(namespace), practices.PRICE_AGE),
        Objective("sentiment processed", sentiment_age(namespace), practices.SENTIMENT_AGE),
        Objective("api error ratio", api_error_ratio(namespace), thresholds.SLO_ERROR_RATIO),
    )
