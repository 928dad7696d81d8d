"""Alerts on the five services (sections 1.2, 3.1, 3.5, 3.6, 4.1)."""

from __future__ import annotations

from typing import Final

from runbook import practices, services, thresholds
from runbook.alerting import expressions, recordings
from runbook.alerting.model import NAMESPACE, WINDOW, Alert, Comparison, Limit, State, Team, kubectl
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
    diagnosis=("ops health", kubectl("describe pods -l app=api-gateway"), "ops diagnose"),
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
    diagnosis=("ops health", kubectl("describe pods -l app={{ $labels.job }}"), "ops diagnose"),
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
    diagnosis=("ops logs", "ops health", "ops diagnose"),
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
    diagnosis=("ops slo", "ops db slow", kubectl("top pods --sort-by=cpu")),
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
    diagnosis=(kubectl("logs {{ $labels.pod }} --previous --tail=50"), "ops diagnose"),
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
    diagnosis=(kubectl("top pods --containers --sort-by=memory"), "ops diagnose"),
    remedies=("ops restart {{ $labels.container }}",),
)
SERVICE_LEAK: Final = Alert(
    "ServiceMemoryLeak",
    # A gauge has a slope and no rate: the regression over an hour looks through garbage collections.
    Limit(
        f'max by (pod, container) (deriv(container_memory_working_set_bytes{{namespace="{NAMESPACE}", '
        f'container=~"{"|".join(_MAY_LEAK)}", image!=""}}[{WINDOW}]))',
        Comparison.ABOVE,
        practices.MEMORY_GROWTH,
    ),
    30 * 60,
    P3,
    Team.SERVICES,
    Section.MEMORY_LEAK,
    "The memory of {{ $labels.container }} grows and grows",
    "{{ $labels.pod }} grows by {{ $value | humanize1024 }}B a second, for more than an hour; above <limit> it is a "
    "leak, and the kernel ends the pod once it is at its limit.",
    window_seconds=60 * 60,
    diagnosis=(kubectl("top pods --containers --sort-by=memory"), "ops diagnose"),
    remedies=("ops restart {{ $labels.container }}",),
)
CRASH_LOOP: Final = Alert(
    "PodCrashLooping",
    State(
        "max by (pod, container) (max_over_time(kube_pod_container_status_waiting_reason{"
        f'namespace="{NAMESPACE}", container!="{services.SENTIMENT.name}", reason="CrashLoopBackOff"}}[{WINDOW}])) > 0'
    ),
    60,
    P2,
    Team.PLATFORM,
    Section.DIAGNOSIS,
    "{{ $labels.pod }} crashes again and again",
    "The container {{ $labels.container }} of {{ $labels.pod }} ends as often as it is started; its log says why.",
    window_seconds=_CRASH_WINDOW_SECONDS,
    diagnosis=(
        kubectl("logs {{ $labels.pod }} -c {{ $labels.container }} --previous --tail=50"),
        kubectl("describe pod {{ $labels.pod }}"),
        "ops diagnose",
    ),
)
PRICES_NOT_UPDATED: Final = Alert(
    "PricesNotUpdated",
    Limit(expressions.price_age(NAMESPACE), Comparison.ABOVE, practices.PRICE_AGE),
    2 * 60,
    P2,
    Team.SERVICES,
    Section.DASHBOARD_CHECK,
    "No price was updated for {{ $value | humanizeDuration }}",
    "The newest price is {{ $value | humanizeDuration }} old; the limit is <limit>. What users see is no longer true.",
    diagnosis=("ops slo", kubectl("logs deployment/market-data-service --tail=100"), "ops diagnose"),
    remedies=("ops restart market-data-service",),
)
SENTIMENT_NOT_PROCESSED: Final = Alert(
    "SentimentNotProcessed",
    Limit(expressions.sentiment_age(NAMESPACE), Comparison.ABOVE, practices.SENTIMENT_AGE),
    5 * 60,
    P3,
    Team.SERVICES,
    Section.DASHBOARD_CHECK,
    "No text was scored for {{ $value | humanizeDuration }}",
    "The newest score is {{ $value | humanizeDuration }} old; the limit is <limit>.",
    diagnosis=("ops slo", kubectl("logs deployment/sentiment --tail=100"), "ops diagnose"),
    remedies=("ops restart sentiment",),
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
    diagnosis=(kubectl("get hpa"), kubectl("top pods --sort-by=cpu")),
)


def _lacks(wanted: str, present: str, owner: str) -> str:
    here = f'{{namespace="{NAMESPACE}"}}'
    return f"max by ({owner}) ({wanted}{here}) - max by ({owner}) ({present}{here})"


DEPLOYMENT_LACKS: Final = Alert(
    "DeploymentLacksPods",
    State(f"{_lacks('kube_deployment_spec_replicas', 'kube_deployment_status_replicas_available', 'deployment')} > 0"),
    15 * 60,
    P3,
    Team.SERVICES,
    Section.AUTOSCALING,
    "{{ $labels.deployment }} lacks {{ $value }} pods",
    "{{ $value }} pods of {{ $labels.deployment }} have not been available for a quarter of an hour: no room, no "
    "image, or they do not become ready.",
    diagnosis=(
        kubectl("describe deployment {{ $labels.deployment }}"),
        kubectl("get events --sort-by=.lastTimestamp"),
        "ops health",
    ),
)
STATEFULSET_LACKS: Final = Alert(
    "StatefulSetLacksPods",
    State(f"{_lacks('kube_statefulset_replicas', 'kube_statefulset_status_replicas_ready', 'statefulset')} > 0"),
    15 * 60,
    P3,
    Team.PLATFORM,
    Section.AUTOSCALING,
    "{{ $labels.statefulset }} lacks {{ $value }} pods",
    "{{ $value }} pods of {{ $labels.statefulset }} have not been ready for a quarter of an hour.",
    diagnosis=(
        kubectl("describe statefulset {{ $labels.statefulset }}"),
        kubectl("get events --sort-by=.lastTimestamp"),
        "ops health",
    ),
)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
