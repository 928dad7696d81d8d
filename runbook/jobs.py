"""The scheduled jobs: which command of ``ops`` runs when, whom it talks to and what it may do in the cluster.

The CronJobs, their Roles, their network policies and the printed calendar are made from this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from runbook import schedules, scratch, services
from runbook.schedules import Schedule


class Need(Enum):
    """Whom a job talks to. What it needs for that (login, network path, token) follows."""

    POSTGRES_BACKUP = auto()
    POSTGRES_MAINTENANCE = auto()
    POSTGRES_REAPER = auto()
    REDIS = auto()
    KAFKA = auto()
    SERVICES = auto()
    BUCKET = auto()
    # Throwaway servers of the datastores beside it: no production server has a part in a trial.
    SCRATCH = auto()
    # The private key of encrypted backups: only a job that restores has it.
    DECRYPTION = auto()
    # A private key of its own: it signs backups of its kind, or proofs.
    SIGNING = auto()
    PROMETHEUS = auto()
    # Reads and replaces one Secret, by its name.
    JWT_SECRET = auto()
    NOTIFY = auto()


# Each is a session with PostgreSQL itself.
OF_POSTGRES: Final = frozenset({Need.POSTGRES_BACKUP, Need.POSTGRES_MAINTENANCE, Need.POSTGRES_REAPER})


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on resources of an API group; ``names`` limits them to these objects.

    Inside the namespace, unless ``cluster`` says otherwise.
    """

    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    api_group: str = ""
    names: tuple[str, ...] = ()
    cluster: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A scheduled command of ``ops``. ``deadline_seconds`` ends a run that hangs.

    One that ``finds`` ends with 1 when it has found something: it has done its work, and a second try finds the same.

    Raises:
        ValueError: it finds and is tried again.
    """

    schedule: Schedule
    command: tuple[str, ...]
    needs: frozenset[Need]
    deadline_seconds: int
    retries: int = 2
    rights: tuple[Right, ...] = ()
    large: bool = False
    finds: bool = False

    def __post_init__(self) -> None:
        if self.finds and self.retries:
            raise ValueError(f"job {self.name}: a finding is an answer; it is not tried {self.retries} times more")

    @property
    def name(self) -> str:
        """Name of the CronJob, of its ServiceAccount and of its Role."""
        return self.schedule.name


_READ: Final = ("get", "list")
_MINUTES: Final = 60
_HOURS: Final = 3600

_SCALED: Final = tuple(spec.name for spec in services.SCALED_AT_PEAK)
_JWT_USERS: Final = tuple(spec.name for spec in services.ALL if spec.uses_jwt)
# What `kubectl get all` leaves out is exactly what a restore needs first (defect 16).
_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "": (
        "configmaps",
        "endpoints",
        "limitranges",
        "persistentvolumeclaims",
        "pods",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
    ),
    "apps": ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "cert-manager.io": ("certificaterequests", "certificates", "issuers"),
    "monitoring.coreos.com": ("alertmanagerconfigs", "podmonitors", "prometheusrules", "servicemonitors"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("rolebindings", "roles"),
}

HEALTH_CHECK: Final = Job(
    schedules.HEALTH_CHECK,
    ("health", "--json"),
    frozenset(
        {
            Need.POSTGRES_BACKUP,
            Need.REDIS,
            Need.KAFKA,
            Need.SERVICES,
            Need.BUCKET,
            Need.PROMETHEUS,
            Need.NOTIFY,
        }
    ),
    5 * _MINUTES,
    retries=0,
    finds=True,
    rights=(
        Right(("pods", "persistentvolumeclaims"), _READ),
        Right(("certificates",), _READ, "cert-manager.io"),
    ),
)
SLO_CHECK: Final = Job(
    schedules.SLO_CHECK,
    ("slo", "--json"),
    frozenset({Need.PROMETHEUS, Need.NOTIFY}),
    5 * _MINUTES,
    retries=0,
    finds=True,
)
LOG_REVIEW: Final = Job(
    schedules.LOG_REVIEW,
    ("logs", "--json"),
    frozenset({Need.BUCKET, Need.NOTIFY}),
    10 * _MINUTES,
    retries=0,
    finds=True,
    rights=(Right(("pods",), _READ), Right(("pods/log",), ("get",))),
)
INCIDENT_REMINDER: Final = Job(
    schedules.INCIDENT_REMINDER, ("incident", "remind", "--json"), frozenset({Need.BUCKET, Need.NOTIFY}), 5 * _MINUTES
)
INCIDENT_REVIEW: Final = Job(
    schedules.INCIDENT_REVIEW, ("incident", "review", "--json"), frozenset({Need.BUCKET, Need.NOTIFY}), 5 * _MINUTES
)
CONNECTION_REAPER: Final = Job(
    schedules.CONNECTION_REAPER, ("db", "reap-idle", "--json"), frozenset({Need.POSTGRES_REAPER}), 2 * _MINUTES
)
PEAK_START: Final = Job(
    schedules.PEAK_START,
    ("scale", "peak", "--json"),
    frozenset(),
    5 * _MINUTES,
    retries=4,
    rights=(Right(("horizontalpodautoscalers",), ("get", "patch"), "autoscaling", _SCALED),),
)
PEAK_END: Final = Job(
    schedules.PEAK_END,
    ("scale", "normal", "--json"),
    frozenset(),
    5 * _MINUTES,
    retries=4,
    rights=(Right(("horizontalpodautoscalers",), ("get", "patch"), "autoscaling", _SCALED),),
)
BACKUP_POSTGRES: Final = Job(
    schedules.BACKUP_POSTGRES,
    ("backup", "postgres", "--json"),
    frozenset({Need.POSTGRES_BACKUP, Need.BUCKET, Need.SIGNING}),
    4 * _HOURS,
    large=True,
)
BACKUP_VERIFY: Final = Job(
    schedules.BACKUP_VERIFY,
    ("backups", "verify", "--scratch", scratch.FOLDER, "--json"),
    frozenset({Need.SCRATCH, Need.BUCKET, Need.DECRYPTION, Need.SIGNING}),
    4 * _HOURS,
    large=True,
)
BACKUP_PRUNE: Final = Job(schedules.BACKUP_PRUNE, ("backups", "prune", "--json"), frozenset({Need.BUCKET}), _HOURS)
BACKUP_REDIS: Final = Job(
    schedules.BACKUP_REDIS,
    ("backup", "redis", "--json"),
    frozenset({Need.REDIS, Need.BUCKET, Need.SIGNING}),
    2 * _HOURS,
    large=True,
)
BACKUP_RESOURCES: Final = Job(
    schedules.BACKUP_RESOURCES,
    ("backup", "resources", "--json"),
    frozenset({Need.BUCKET, Need.SIGNING}),
    _HOURS,
    rights=tuple(Right(kinds, _READ, group) for group, kinds in _KINDS.items()),
)
RESTORE_DRILL: Final = Job(
    schedules.RESTORE_DRILL,
    ("drill", "--scratch", scratch.FOLDER, "--json"),
    frozenset({Need.SCRATCH, Need.BUCKET, Need.DECRYPTION, Need.NOTIFY}),
    8 * _HOURS,
    large=True,
)
ACCESS_REVIEW: Final = Job(
    schedules.ACCESS_REVIEW,
    ("access", "review", "--json"),
    frozenset({Need.BUCKET, Need.NOTIFY}),
    10 * _MINUTES,
    # A second run would find nothing new and hide the first.
    retries=0,
    finds=True,
    rights=(
        Right(("roles", "rolebindings"), _READ, "rbac.authorization.k8s.io"),
        Right(("serviceaccounts",), _READ),
        Right(("clusterroles", "clusterrolebindings"), _READ, "rbac.authorization.k8s.io", cluster=True),
        Right(
            ("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
            _READ,
            "admissionregistration.k8s.io",
            cluster=True,
        ),
    ),
)
JWT_ROTATION: Final = Job(
    schedules.JWT_ROTATION,
    ("rotate", "jwt", "--if-due", "--json"),
    frozenset({Need.SERVICES, Need.JWT_SECRET, Need.NOTIFY}),
    _HOURS,
    rights=(
        Right(("deployments",), ("get", "patch"), "apps", _JWT_USERS),
        Right(("pods",), _READ),
    ),
)
WEEKLY_MAINTENANCE: Final = Job(
    schedules.WEEKLY_MAINTENANCE,
    ("db", "maintain", "--json"),
    frozenset({Need.POSTGRES_MAINTENANCE, Need.NOTIFY}),
    4 * _HOURS,
)
MONTHLY_MAINTENANCE: Final = Job(
    schedules.MONTHLY_MAINTENANCE,
    ("updates", "--json"),
    frozenset({Need.NOTIFY}),
    30 * _MINUTES,
    rights=(
        Right(("pods",), _READ),
        Right(("deployments", "statefulsets"), _READ, "apps"),
        Right(("cronjobs",), _READ, "batch"),
    ),
)

ALL: Final[tuple[Job, ...]] = tuple(value for value in globals().values() if isinstance(value, Job))
BY_NAME: Final = {job.name: job for job in ALL}
