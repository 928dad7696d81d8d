"""The expressions that recording rules, alerts and the hourly check have in common, each written once.

Every function takes the namespace and the window as text: a rule gives the marks that its rendering fills in, the check
gives its own. All are by ``job``, the runbook's name of a service, unless they say otherwise.
"""

from __future__ import annotations

from typing import Final

from runbook import services, thresholds

# The latency limit of section 1.2 is one of the 95th percentile.
QUANTILE: Final = 0.95
REQUESTS: Final = "http_requests_total"
DURATIONS: Final = "http_request_duration_seconds_bucket"
# Probes and scrapes are no requests of users: a few users' failures would drown in them.
_OWN_PAGES: Final = "|".join(["/metrics", *sorted({spec.health_path for spec in services.ALL})])
_EDGE: Final = f'le="{thresholds.LATENCY_P95.value:g}"'


def users(namespace: str, *matchers: str) -> str:
    """Matchers of users' requests, in braces."""
    return "{" + ", ".join((f'namespace="{namespace}"', f'handler!~"{_OWN_PAGES}"', *matchers)) + "}"


def of_gateway(*more: str) -> tuple[str, ...]:
    """Matchers of the API gateway's series, for ``users``."""
    return (f'job="{services.API_GATEWAY.name}"', *more)


def requests(namespace: str, window: str, *matchers: str) -> str:
    """Requests (a second)."""
    return f"sum by (job) (rate({REQUESTS}{users(namespace, *matchers)}[{window}]))"


def failures(namespace: str, window: str, *matchers: str) -> str:
    """Requests that failed (a second); 0 for a service that never failed, nothing for one that was never asked."""
    # Some clients count "5xx" where others count "500". A series of failures exists from the first failure on.
    failed = requests(namespace, window, *matchers, 'status=~"5.."')
    return f"({failed} or 0 * {requests(namespace, window, *matchers)})"


def error_ratio(namespace: str, window: str, *matchers: str) -> str:
    """Requests that failed, of all (ratio); nothing without requests."""
    return f"{failures(namespace, window, *matchers)} / ({requests(namespace, window, *matchers)} > 0)"


def latency_p95(namespace: str, window: str, *matchers: str) -> str:
    """95th percentile of the response time (seconds).

    Nothing where the histogram has no edge at the limit: between two far edges the percentile is a guess.
    """
    buckets = f"sum by (job, le) (rate({DURATIONS}{users(namespace, *matchers)}[{window}]))"
    edge = f"count by (job) ({DURATIONS}{users(namespace, *matchers, _EDGE)})"
    return f"histogram_quantile({QUANTILE}, {buckets}) and on (job) {edge}"


def slow(namespace: str, window: str, *matchers: str) -> str:
    """Requests that took longer than the latency limit (a second)."""
    rates = (
        f"sum by (job) (rate({DURATIONS}{users(namespace, *matchers, le)}[{window}]))" for le in ('le="+Inf"', _EDGE)
    )
    return " - ".join(rates)


def node_cpu(window: str) -> str:
    """CPU in use by ``instance`` (ratio), from node_exporter."""
    # Of all modes and not of the window's seconds: a node that has just joined has been idle for less than the window.
    idle, whole = (
        f"sum by (instance) (rate(node_cpu_seconds_total{mode}[{window}]))" for mode in ('{mode="idle"}', "")
    )
    return f"1 - {idle} / {whole}"


def node_memory() -> str:
    """Memory in use by ``instance`` (ratio), from node_exporter."""
    return "1 - max by (instance) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"


def age(metric: str, namespace: str) -> str:
    """Time since the newest of a metric's moments (seconds)."""
    return f'time() - max({metric}{{namespace="{namespace}"}})'


def price_age(namespace: str) -> str:
    """Time since any price was updated (seconds)."""
    return age("prices_last_update_timestamp_seconds", namespace)


def sentiment_age(namespace: str) -> str:
    """Time since any text was scored (seconds)."""
    return age("sentiment_last_update_timestamp_seconds", namespace)
