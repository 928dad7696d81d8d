"""Recording rules: what more than one alert, dashboard or check asks for."""

from __future__ import annotations

from typing import Final

from runbook.alerting import expressions
from runbook.alerting.model import NAMESPACE, WINDOW, Recording

RATE_SECONDS: Final = 5 * 60
QUANTILE: Final = expressions.QUANTILE

_HERE: Final = f'{{namespace="{NAMESPACE}"}}'

REQUESTS: Final = Recording("job:http_requests:rate5m", expressions.requests(NAMESPACE, WINDOW), RATE_SECONDS)
# One without requests has no ratio at all, and not one of 0 / 0.
ERROR_RATIO: Final = Recording(
    "job:http_request_errors:ratio_rate5m", expressions.error_ratio(NAMESPACE, WINDOW), RATE_SECONDS
)
LATENCY: Final = Recording(
    "job:http_request_duration_seconds:p95_rate5m", expressions.latency_p95(NAMESPACE, WINDOW), RATE_SECONDS
)
# Of the connections that PostgreSQL gives to anybody but a superuser: as a ratio it survives a change of the limit.
CONNECTIONS: Final = Recording(
    "namespace:pg_connections:ratio",
    f"sum(pg_stat_activity_count{_HERE}) / "
    f"((max(pg_settings_max_connections{_HERE}) - max(pg_settings_superuser_reserved_connections{_HERE})) > 0)",
)
NODE_CPU: Final = Recording("instance:node_cpu:ratio_rate5m", expressions.node_cpu(WINDOW), RATE_SECONDS)
NODE_MEMORY: Final = Recording("instance:node_memory:ratio", expressions.node_memory())

ALL: Final[tuple[Recording, ...]] = tuple(value for value in globals().values() if isinstance(value, Recording))
