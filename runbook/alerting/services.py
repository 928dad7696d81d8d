"""Alerts on the five services (sections 1.2, 3.1, 3.5, 3.6, 4.1)."""

from __future__ import annotations

from typing import Final

from runbook import services, thresholds
from runbook.alerting import recordings
from runbook.alerting.model import NAMESPACE, WINDOW, Alert, Comparison, Limit, State, Team
from runbook.sections import Section
from runbook.severities import P1, P2, P3

_GATEWAY: Final = services.API_GATEWAY.name
_BEHIND: Final = tuple(spec.name for spec in services.ALL if spec is not services.API_GATEWAY)
# The model of the sentiment service needs several times the limit for a leak; what else it uses cannot be told apart.
_MAY_LEAK: Final = tuple(spec.name for spec in services.ALL if spec.memory.request < thresholds.SERVICE_MEMORY.value)
_CRASH_WINDOW_SECONDS: Final = 5 * 60


def _of_gateway(recording: str) -> str:
    return f'{recording}{{namespace="{NAMESPACE}", job="{_GATEWAY}"}}'


def _absent(job: str) -> str:
    return f'absent(up{{namespace="{NAMESPACE}", job="{job}"}})'


API_GATEWAY_DOWN: Final = Alert(
    "ApiGatewayDown",
    # Without a single target there is no series to be 0: the constant stands in.
    State(f'(sum(up{{namespace="{NAMESPACE}", job="{_GATEWAY}"}}) or vector(0)) == 0'),
    2 * 60,
    P1,
    Team.SERVICES,
    Section.API_ERRORS,
    "No pod of the API gateway answers",
    "Prometheus reaches no pod of api-gateway: for users the dashboard is down.",
    diagnosis=("ops health", "kubectl describe pods -l app=api-gateway", "ops diagnose api-gateway"),
    remedies=("ops restart api-gateway",),
)
SERVICE_DOWN: Final = Alert(
    "ServiceDown",
    State(
        f'sum by (job) (up{{namespace="{NAMESPACE}", job=~"{"|".join(_BEHIND)}"}}) == 0 or '
        + " or ".join(_absent(name) for name in _BEHIND)
    ),
    3 * 60,
    P2,
    Team.SERVICES,
    Section.API_ERRORS,
    "No pod of {{ $labels.job }} answers",
    "Prometheus reaches no pod of {{ $labels.job }}; the API gateway answers without it, or not at all.",
    diagnosis=("ops health", "kubectl describe pods -l app={{ $labels.job }}", "ops diagnose {{ $labels.job }}"),
    remedies=("ops restart {{ $labels.job }}",),
)
API_GATEWAY_ERRORS: Final = Alert(
    "ApiGatewayHighErrorRate",
    Limit(_of_gateway(recordings.ERROR_RATIO.name), Comparison.ABOVE, thresholds.API_ERROR_RATIO),
    5 * 60,
    P2,
    Team.SERVICES,
    Section.API_ERRORS,
    "{{ $value | humanizePercentage }} of the API's requests fail",
    "Of the requests to the API gateway {{ $value | humanizePercentage }} fail; the limit is <limit>.",
    window_seconds=recordings.ERROR_RATIO.window_seconds,
    diagnosis=("ops logs", "ops health", "ops diagnose api-gateway"),
    remedies=("ops restart api-gateway", "ops restart user-service", "ops db reap-idle"),
)
API_GATEWAY_LATENCY: Final = Alert(
    "ApiGatewayLatencyHigh",
    Limit(_of_gateway(recordings.LATENCY.name), Comparison.ABOVE, thresholds.LATENCY_P95),
    10 * 60,
    P3,
    Team.SERVICES,
    Section.DASHBOARD_CHECK,
    "The API is slow: {{ $value | humanizeDuration }} at the 95th percentile",
    "One request in twenty to the API gateway takes more than {{ $value | humanizeDuration }}; the limit is <limit>.",
    window_seconds=recordings.LATENCY.window_seconds,
    diagnosis=("ops slo", "ops db slow", "kubectl top pods --sort-by=cpu"),
    remedies=("ops scale peak",),
)
SENTIMENT_MODEL: Final = Alert(
    "SentimentModelLoadFailure",
    # Between two tries the container runs for a while: the maximum of the window bridges that.
    State(
        "max by (pod) (max_over_time(kube_pod_container_status_waiting_reason{"
        f'namespace="{NAMESPACE}", container="{services.SENTIMENT.name}", reason="CrashLoopBackOff"}}[{WINDOW}])) > 0'
    ),
    60,
    P2,
    Team.SERVICES,
    Section.SENTIMENT_MODEL,
    "The sentiment service cannot load its model",
    "{{ $labels.pod }} crashes again and again as it starts; most often its model does not load: not enough memory, "
    "or the download failed.",
    window_seconds=_CRASH_WINDOW_SECONDS,
    diagnosis=("kubectl logs {{ $labels.pod }} --previous --tail=50", "ops diagnose sentiment"),
    remedies=("ops restart sentiment",),
)
SERVICE_MEMORY: Final = Alert(
    "ServiceMemoryHigh",
    Limit(
        f'max by (pod, container) (container_memory_working_set_bytes{{namespace="{NAMESPACE}", '
        f'container=~"{"|".join(_MAY_LEAK)}", image!=""}})',
        Comparison.ABOVE,
        thresholds.SERVICE_MEMORY,
    ),
    10 * 60,
    P3,
    Team.SERVICES,
    Section.MEMORY_LEAK,
    "{{ $labels.container }} leaks memory",
    "{{ $labels.pod }} uses {{ $value | humanize1024 }}B; above <limit> a service is leaking, and the kernel ends it "
    "at its limit.",
    diagnosis=("kubectl top pods --containers --sort-by=memory", "ops diagnose {{ $labels.container }}"),
    remedies=("ops restart {{ $labels.container }}",),
)
_HPA: Final = "kube_horizontalpodautoscaler"


def _of_autoscaler(metric: str) -> str:
    return f'max by (horizontalpodautoscaler) ({_HPA}_{metric}{{namespace="{NAMESPACE}"}})'


AUTOSCALER_AT_MAXIMUM: Final = Alert(
    "HpaAtMaximum",
    # In the peak hours the least replicas are raised to the most: then the maximum says nothing.
    State(
        f"{_of_autoscaler('status_current_replicas')} >= {_of_autoscaler('spec_max_replicas')} and "
        f"{_of_autoscaler('spec_min_replicas')} < {_of_autoscaler('spec_max_replicas')}"
    ),
    15 * 60,
    P3,
    Team.SERVICES,
    Section.AUTOSCALING,
    "{{ $labels.horizontalpodautoscaler }} cannot scale further",
    "The autoscaler of {{ $labels.horizontalpodautoscaler }} runs all {{ $value }} pods that it may; more load makes "
    "the service slow.",
    diagnosis=("kubectl get hpa", "kubectl top pods --sort-by=cpu"),
)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
