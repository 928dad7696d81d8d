"""Judges a pod that is not ready: the reason, its movement, and the point at which the wait is hopeless."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from local.errors import LocalError
from local.kubectl import Kubectl
from local.waiting import Missing

# The kubelet waits 10 s before the second start and doubles that: the last of these comes after more than ten minutes.
MAX_RESTARTS = 7
_LINES = 6
_MESSAGE_COLUMNS = 160
# Both names for one trouble alternate, which is no movement.
_NO_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_NOT_STARTED = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})

Pod = Mapping[str, Any]
CpuSeconds = Callable[[str], int | None]
"""Whole seconds of processor time that the pod of a uid has used, None where that cannot be known."""


def no_cpu_seconds(_: str) -> None:
    """On a cluster whose nodes cannot be looked at."""
    return


class Watcher:
    """Looks at the pods of a namespace again and again; remembers how often each had restarted at first."""

    def __init__(self, kubectl: Kubectl, cpu_seconds: CpuSeconds = no_cpu_seconds) -> None:
        self._kubectl = kubectl
        self._cpu_seconds = cpu_seconds
        self._first: dict[str, int] = {}

    def missing(self, pod: Pod) -> Missing:
        """The entry for a pod that is not ready."""
        name, namespace = pod["metadata"]["name"], pod["metadata"].get("namespace", "default")
        restarts = sum(status["restartCount"] for status in _statuses(pod))
        often = restarts - self._first.setdefault(pod["metadata"].get("uid", name), restarts)
        return Missing(
            name=f"pod {name}",
            line=f"pod {name} is not ready: {why(pod)}",
            state=(state(pod), self._cpu_seconds(pod["metadata"].get("uid", ""))),
            stuck=bool(_reasons(pod) & (_NO_IMAGE | _NOT_STARTED)),
            hopeless=often > MAX_RESTARTS,
            log=lambda: self._log(pod, namespace),
        )

    def _log(self, pod: Pod, namespace: str) -> Sequence[str]:
        for status in _statuses(pod):
            if not status.get("ready"):
                previous = ["--previous"] if "waiting" in status.get("state", {}) and status["restartCount"] else []
                arguments = ["logs", pod["metadata"]["name"], f"--namespace={namespace}", f"--tail={_LINES}"]
                try:
                    return self._kubectl.run(*arguments, f"--container={status['name']}", *previous).splitlines()
                except LocalError:
                    # One that never ran has no log.
                    return ()
        return ()


def is_ready(pod: Pod) -> bool:
    """Whether its condition Ready is true."""
    return any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", []))


def why(pod: Pod) -> str:
    """The reason that the kubelet gives, or else the pod's phase."""
    for status in _statuses(pod):
        waiting = status.get("state", {}).get("waiting")
        if waiting:
            ended = status.get("lastState", {}).get("terminated")
            exit_code = f", exit code {ended['exitCode']}" if ended else ""
            message = waiting.get("message", "no message")[:_MESSAGE_COLUMNS]
            return f"{waiting.get('reason', 'waiting')} ({message}{exit_code})"
    unscheduled = [
        condition.get("message", "no message")[:_MESSAGE_COLUMNS]
        for condition in pod["status"].get("conditions", [])
        if condition["type"] == "PodScheduled" and condition["status"] == "False"
    ]
    phase = pod["status"].get("phase", "unknown")
    return f"{phase} ({unscheduled[0]})" if unscheduled else phase


def state(pod: Pod) -> Hashable:
    """Changes when the pod or one of its containers gets further, or falls back."""
    conditions = sorted((item["type"], item["status"]) for item in pod["status"].get("conditions", []))
    containers = [
        (status.get("name"), status.get("ready"), status.get("started"), status.get("restartCount"), _stage(status))
        for status in _statuses(pod)
    ]
    return pod["metadata"].get("uid"), pod["status"].get("phase"), tuple(conditions), tuple(containers)


def _stage(status: Mapping[str, Any]) -> str:
    reason = status.get("state", {}).get("waiting", {}).get("reason", "")
    if reason in _NO_IMAGE:
        return "no image"
    return reason or next(iter(status.get("state", {})), "")


def _statuses(pod: Pod) -> list[dict[str, Any]]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _reasons(pod: Pod) -> set[str]:
    return {status.get("state", {}).get("waiting", {}).get("reason", "") for status in _statuses(pod)}
