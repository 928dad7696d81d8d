"""One violation each, to be put into the rendered production stack: what a linter of manifests could find.

Some are what any team would want found, some are only wrong by this system's runbook.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Object: TypeAlias = dict[str, Any]
# Changes the object, and returns it; None leaves it out altogether.
Change: TypeAlias = Callable[[Object], Object | None]


@dataclass(frozen=True, slots=True)
class Violation:
    """A defect: its name, the kind and name of the object, and what happens to that."""

    name: str
    target: tuple[str, str]
    change: Change


def _put(path: str, value: Any) -> Change:
    """Sets a value at a path of keys and positions; a place that is not there is made, None removes it."""

    def change(content: Object) -> Object:
        place: Any = content
        *way, last = [int(key) if key.isdigit() else key for key in path.split("/")]
        for key in way:
            place = place[key] if isinstance(key, int) else place.setdefault(key, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
        return content

    return change


def _without(_: Object) -> None:
    return None


_GATEWAY: Final = ("Deployment", "api-gateway")
_SENTIMENT: Final = ("Deployment", "sentiment")
_BACKUP: Final = ("CronJob", "backup-postgres")
_POD: Final = "spec/template/spec"
_MAIN: Final = f"{_POD}/containers/0"
_CONTEXT: Final = f"{_MAIN}/securityContext"

VIOLATIONS: Final = (
    Violation("image with the tag latest", _GATEWAY, _put(f"{_MAIN}/image", "example.com/crypto/api-gateway:latest")),
    Violation("no memory limit", _GATEWAY, _put(f"{_MAIN}/resources/limits", None)),
    Violation("no readiness probe", _GATEWAY, _put(f"{_MAIN}/readinessProbe", None)),
    Violation("no liveness probe", _GATEWAY, _put(f"{_MAIN}/livenessProbe", None)),
    Violation("runs as root", _GATEWAY, _put(f"{_CONTEXT}/runAsNonRoot", False)),
    Violation("user 0", _GATEWAY, _put(f"{_CONTEXT}/runAsUser", 0)),
    Violation("privileged", _GATEWAY, _put(f"{_CONTEXT}/privileged", True)),
    Violation("escalation of privileges", _GATEWAY, _put(f"{_CONTEXT}/allowPrivilegeEscalation", True)),
    Violation("a capability added", _GATEWAY, _put(f"{_CONTEXT}/capabilities/add", ["SYS_ADMIN"])),
    Violation("capabilities not dropped", _GATEWAY, _put(f"{_CONTEXT}/capabilities/drop", [])),
    Violation("seccomp unconfined", _GATEWAY, _put(f"{_CONTEXT}/seccompProfile", {"type": "Unconfined"})),
    Violation("root file system can be written", _GATEWAY, _put(f"{_CONTEXT}/readOnlyRootFilesystem", False)),
    Violation("network of the node", _GATEWAY, _put(f"{_POD}/hostNetwork", True)),
    Violation("processes of the node", _GATEWAY, _put(f"{_POD}/hostPID", True)),
    Violation("files of the node", _GATEWAY, _put(f"{_POD}/volumes", [{"name": "h", "hostPath": {"path": "/"}}])),
    Violation("password in a variable", _GATEWAY, _put(f"{_MAIN}/env", [{"name": "DB_PASSWORD", "value": "hunter2"}])),
    Violation("replicas beside an autoscaler", _GATEWAY, _put("spec/replicas", 3)),
    Violation("budget that blocks every drain", ("PodDisruptionBudget", "api-gateway"), _put("spec/maxUnavailable", 0)),
    Violation("no disruption budget", ("PodDisruptionBudget", "api-gateway"), _without),
    Violation("no autoscaler", ("HorizontalPodAutoscaler", "api-gateway"), _without),
    Violation(
        "autoscaler of a Deployment that is not there",
        ("HorizontalPodAutoscaler", "api-gateway"),
        _put("spec/scaleTargetRef/name", "another"),
    ),
    Violation("object in the namespace default", _GATEWAY, _put("metadata/namespace", "default")),
    Violation("sentiment with 1Gi, needs 4Gi", _SENTIMENT, _put(f"{_MAIN}/resources/requests/memory", "1Gi")),
    Violation(
        "autoscaler above the runbook's peak", ("HorizontalPodAutoscaler", "analytics"), _put("spec/maxReplicas", 9)
    ),
    Violation("backup at another hour", _BACKUP, _put("spec/schedule", "0 14 * * *")),
    Violation("backup may run beside itself", _BACKUP, _put("spec/concurrencyPolicy", "Allow")),
    Violation("backup without a time zone", _BACKUP, _put("spec/timeZone", None)),
    Violation("backup without a deadline", _BACKUP, _put("spec/startingDeadlineSeconds", None)),
    Violation("date and weekday in one schedule", _BACKUP, _put("spec/schedule", "0 2 1 * 1")),
    Violation(
        "pods of any level admitted",
        ("Namespace", "crypto"),
        _put("metadata/labels", {"pod-security.kubernetes.io/enforce": "privileged"}),
    ),
)
