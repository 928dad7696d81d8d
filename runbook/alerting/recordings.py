"""Recording rules: what more than one alert, dashboard or check asks for."""

from __future__ import annotations

from typing import Final

from runbook import services
from runbook.alerting.model import NAMESPACE, WINDOW, Recording

RATE_SECONDS: Final = 5 * 60
# The latency limit of section 1.2 is one of the 95th percentile.
QUANTILE: Final = 0.95

_HERE: Final = f'{{namespace="{NAMESPACE}"}}'
# Probes and scrapes are no requests of users: a few users' failures would drown in them.
_OWN_PAGES: Final = "|".join(["/metrics", *sorted({spec.health_path for spec in services.ALL})])
_USERS: Final = f'namespace="{NAMESPACE}", handler!~"{_OWN_PAGES}"'


def _rate(metric: str, by: str, more: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{_USERS}{more}}}[{WINDOW}]))"


_ALL: Final = _rate("http_requests_total", "job")
# Some clients count "5xx" where others count "500".
_FAILED: Final = _rate("http_requests_total", "job", ', status=~"5.."')

REQUESTS: Final = Recording("job:http_requests:rate5m", _ALL, RATE_SECONDS)
# A service without a single failure has no series with such a status: zero times its requests stands in. One without
# requests has no ratio at all, and not one of 0 / 0.
ERROR_RATIO: Final = Recording(
    "job:http_request_errors:ratio_rate5m",
    f"({_FAILED} or 0 * {_ALL}) / ({_ALL} > 0)",
    RATE_SECONDS,
)
LATENCY: Final = Recording(
    "job:http_request_duration_seconds:p95_rate5m",
    f"histogram_quantile({QUANTILE}, {_rate('http_request_duration_seconds_bucket', 'job, le')})",
    RATE_SECONDS,
)
# Of the connections that PostgreSQL gives to anybody but a superuser: as a ratio it survives a change of the limit.
CONNECTIONS: Final = Recording(
    "namespace:pg_connections:ratio",
    f"sum(pg_stat_activity_count{_HERE}) / "
    f"((max(pg_settings_max_connections{_HERE}) - max(pg_settings_superuser_reserved_connections{_HERE})) > 0)",
)
# Of all modes and not of the window's seconds: a node that has just joined has been idle for less than the window.
NODE_CPU: Final = Recording(
    "instance:node_cpu:ratio_rate5m",
    f'1 - sum by (instance) (rate(node_cpu_seconds_total{{mode="idle"}}[{WINDOW}])) '
    f"/ sum by (instance) (rate(node_cpu_seconds_total[{WINDOW}]))",
    RATE_SECONDS,
)
NODE_MEMORY: Final = Recording(
    "instance:node_memory:ratio",
    "1 - max by (instance) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
)

ALL: Final[tuple[Recording, ...]] = tuple(value for value in globals().values() if isinstance(value, Recording))
