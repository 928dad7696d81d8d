"""Alerts on nodes, volumes, certificates and the way in (sections 1.1, 1.2, 7.4 and 8.1)."""

from __future__ import annotations

from typing import Final

from runbook import maintenance, practices, thresholds
from runbook.alerting import recordings
from runbook.alerting.model import NAMESPACE, WINDOW, Alert, Comparison, Limit, State, Team, kubectl, number
from runbook.printed_values import value
from runbook.sections import Section
from runbook.severities import P3

_HERE: Final = f'namespace="{NAMESPACE}"'
_CERTIFICATES: Final = "certmanager_certificate_expiration_timestamp_seconds"


# A vacuum makes room inside the files and gives none of it back to the volume.
_FREES_ROOM: Final = ("ops backups prune --databases",)
_ROOM: Final = (
    "On PostgreSQL's volume the databases that restores have put aside can go; what then is too small grows by "
    "volumeSize of the stack and `pulumi up`."
)


def _of_volume(metric: str) -> str:
    return f"max by (persistentvolumeclaim) (kubelet_volume_stats_{metric}_bytes{{{_HERE}}})"


DISK_USAGE: Final = Alert(
    "DiskUsageHigh",
    # As `df` counts: what the file system keeps for root is neither used nor free.
    Limit(
        f"{_of_volume('used')} / ({_of_volume('used')} + {_of_volume('available')})",
        Comparison.ABOVE,
        thresholds.DISK_USAGE_RATIO,
    ),
    15 * 60,
    P3,
    Team.PLATFORM,
    Section.HEALTH_CHECK,
    "Volume {{ $labels.persistentvolumeclaim }} is {{ $value | humanizePercentage }} full",
    "{{ $value | humanizePercentage }} of {{ $labels.persistentvolumeclaim }} is in use; the limit is <limit>. A "
    f"database whose volume is full stops. {_ROOM}",
    diagnosis=("ops health", kubectl("get pvc")),
    remedies=_FREES_ROOM,
)
VOLUME_FILLING: Final = Alert(
    "VolumeFillingUp",
    State(
        "min by (persistentvolumeclaim) (predict_linear("
        f"kubelet_volume_stats_available_bytes{{{_HERE}}}[{WINDOW}], {number(practices.VOLUME_HORIZON)})) < 0"
    ),
    30 * 60,
    P3,
    Team.PLATFORM,
    Section.HEALTH_CHECK,
    "Volume {{ $labels.persistentvolumeclaim }} is filling up",
    "At the rate of the last hour {{ $labels.persistentvolumeclaim }} is full within "
    f"{value(practices.VOLUME_HORIZON)}. {_ROOM}",
    window_seconds=60 * 60,
    guards=(practices.VOLUME_HORIZON,),
    diagnosis=("ops health", kubectl("get pvc"), "ops diagnose"),
    remedies=_FREES_ROOM,
)
NODE_CPU: Final = Alert(
    "NodeCpuHigh",
    Limit(f"{recordings.NODE_CPU.name}{{{_HERE}}}", Comparison.ABOVE, thresholds.NODE_CPU_RATIO),
    15 * 60,
    P3,
    Team.PLATFORM,
    Section.DASHBOARD_CHECK,
    "The processors of {{ $labels.instance }} are busy",
    "{{ $value | humanizePercentage }} of the CPU of {{ $labels.instance }} is in use; the limit is <limit>.",
    window_seconds=recordings.NODE_CPU.window_seconds,
    diagnosis=("kubectl top nodes", kubectl("top pods --sort-by=cpu")),
    remedies=("ops scale normal",),
)
NODE_MEMORY: Final = Alert(
    "NodeMemoryHigh",
    Limit(f"{recordings.NODE_MEMORY.name}{{{_HERE}}}", Comparison.ABOVE, thresholds.NODE_MEMORY_RATIO),
    15 * 60,
    P3,
    Team.PLATFORM,
    Section.DASHBOARD_CHECK,
    "The memory of {{ $labels.instance }} runs out",
    "{{ $value | humanizePercentage }} of the memory of {{ $labels.instance }} is in use; the limit is <limit>. Soon "
    "pods are evicted.",
    diagnosis=("kubectl top nodes", kubectl("top pods --sort-by=memory")),
    remedies=("ops scale normal",),
)
CERTIFICATE: Final = Alert(
    "CertificateExpiringSoon",
    # Where the scrape does not honour the metric's own labels, the certificate's namespace has the prefix.
    Limit(
        f'({_CERTIFICATES}{{exported_namespace="{NAMESPACE}"}} or {_CERTIFICATES}{{{_HERE}, exported_namespace=""}}) '
        "- time()",
        Comparison.BELOW,
        practices.CERTIFICATE_WARNING,
    ),
    15 * 60,
    P3,
    Team.PLATFORM,
    Section.TLS,
    "Certificate {{ $labels.name }} ends in {{ $value | humanizeDuration }}",
    "{{ $labels.name }} ends in {{ $value | humanizeDuration }} and was not renewed; less than <limit> means that the "
    "renewal fails.",
    diagnosis=(
        kubectl("describe certificate {{ $labels.name }}"),
        kubectl("get certificaterequests"),
        "ops diagnose",
    ),
)

MAINTENANCE_LEFT_ON: Final = Alert(
    "MaintenanceLeftOn",
    State(
        f'max by (ingress) (kube_ingress_path{{{_HERE}, ingress="{maintenance.INGRESS}", '
        f'service_name="{maintenance.PAGE}"}}) == 1'
    ),
    # A window's length from the page's first sight, whoever shows it and however long his lock holds.
    practices.MAINTENANCE_WINDOW.count,
    P3,
    Team.PLATFORM,
    Section.MAINTENANCE_WINDOWS,
    "Users still see the maintenance page",
    f"For longer than a maintenance window ({value(practices.MAINTENANCE_WINDOW)}) users have seen the maintenance "
    "page: either the work takes longer than was announced, or nobody has ended it. Scheduled jobs are suspended as "
    "long.",
    diagnosis=("ops maintenance status", kubectl("describe lease maintenance")),
    remedies=("ops maintenance off",),
)

ALL: Final[tuple[Alert, ...]] = tuple(value for value in globals().values() if isinstance(value, Alert))
