"""The status file: what the supervisor says about itself and its daemons."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class Phase(StrEnum):
    """What the cluster as a whole is doing."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


class DaemonState(StrEnum):
    """What one daemon is doing."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    BACKING_OFF = "backing off"
    STOPPED = "stopped"


class DaemonStatus(BaseModel):
    """One daemon. `pid` is the one inside the cluster's PID namespace; `restarts` counts since the cluster's start."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: DaemonState
    pid: int | None = None
    restarts: int = 0
    since: datetime
    last_exit: str | None = None

    @property
    def settled(self) -> bool:
        return self.state in (DaemonState.READY, DaemonState.DONE)


class ClusterStatus(BaseModel):
    """The whole status file."""

    model_config = ConfigDict(frozen=True)

    instance: str
    phase: Phase
    started_at: datetime | None = None
    ready_after_seconds: float | None = None
    problem: str | None = None
    daemons: tuple[DaemonStatus, ...] = ()

    def daemon(self, name: str) -> DaemonStatus | None:
        """The status of the daemon of that name, or None."""
        return next((daemon for daemon in self.daemons if daemon.name == name), None)

    @property
    def ready(self) -> bool:
        return self.phase is Phase.RUNNING and all(d.settled for d in self.daemons)


def stopped(instance: str) -> ClusterStatus:
    """The status of an instance that does not run."""
    return ClusterStatus(instance=instance, phase=Phase.STOPPED)


def write(path: Path, status: ClusterStatus) -> None:
    """Replace the status file; a reader sees the old one or the new one, never a part."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(status.model_dump_json(indent=2) + "\n")
    temporary.replace(path)


def read(path: Path) -> ClusterStatus | None:
    """The status file's content; None where it is missing or not a status file."""
    try:
        return ClusterStatus.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def describe(status: ClusterStatus) -> str:
    """The status as a table for people."""
    lines = [f"cluster {status.instance}: {status.phase}"]
    if status.problem:
        lines[0] += f" ({status.problem})"
    for daemon in status.daemons:
        exit_note = f", last exit: {daemon.last_exit}" if daemon.last_exit else ""
        lines.append(f"  {daemon.name:<24} {daemon.state:<12} restarts {daemon.restarts}{exit_note}")
    return "\n".join(lines)
