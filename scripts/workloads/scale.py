"""The least replicas in and outside the peak hours (section 4.2).

The autoscaler is patched and never the Deployment: an HPA takes back whatever ``kubectl scale`` sets (defect 14).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from runbook.ops_settings import OpsSettings
from scripts import log
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster
from scripts.exits import Exit, OpsError, UsageError, of_several
from scripts.output import Outcome, say

_SECONDS: Final = 30.0
# Kubernetes' own, where an HPA does not say.
_DEFAULT_LEAST: Final = 1


class Level(StrEnum):
    """Which of its two numbers each autoscaler gets."""

    PEAK = "peak"
    NORMAL = "normal"


class _AboveMaximumError(UsageError):
    """More replicas are wanted than an autoscaler may run."""


@dataclass(frozen=True, slots=True)
class Step:
    """An autoscaler's least replicas: as found, and as wanted; ``problem`` is why they could not be set."""

    name: str
    found: int | None
    wanted: int
    problem: OpsError | None = None

    @property
    def differs(self) -> bool:
        return self.found != self.wanted


def run(settings: OpsSettings, level: Level, *, check: bool, dry_run: bool) -> Outcome:
    """Set ``minReplicas`` of every autoscaler of the settings; with ``check`` only compare (exit 1 when one differs).

    An autoscaler that cannot be changed does not keep the others from it.

    Raises:
        UsageError: nothing is to be scaled, or a peak is above an autoscaler's maximum; nothing was changed.
    """
    wanted = {target.name: target.peak if level is Level.PEAK else target.normal for target in settings.scaling}
    if not wanted:
        raise UsageError("the settings name no autoscaler: add some under scaling")
    with kubernetes.connect(_SECONDS) as cluster:
        steps = [_look(cluster, settings.namespace, name, count) for name, count in wanted.items()]
        above = next((step.problem for step in steps if isinstance(step.problem, _AboveMaximumError)), None)
        if above is not None and level is Level.PEAK:
            # A peak that one service cannot follow is a mistake in the stack; the end of a peak waits for nothing.
            raise UsageError(f"{above}; nothing was changed")
        if not check:
            steps = [_set(cluster, settings.namespace, step, dry_run=dry_run) for step in steps]
    problems = [step.problem for step in steps if step.problem is not None]
    differ = check and any(step.differs for step in steps)
    return Outcome(
        _data(level, steps, check=check, dry_run=dry_run),
        say(*(f"{step.name}: {_verdict(step, check=check, dry_run=dry_run)}" for step in steps)),
        of_several(problems) if problems else Exit.FAILED if differ else Exit.DONE,
    )


def _path(namespace: str, name: str) -> str:
    return f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{name}"


def _look(cluster: Cluster, namespace: str, name: str, wanted: int) -> Step:
    try:
        found: Any = cluster.get(_path(namespace, name))
    except OpsError as error:
        return Step(name, None, wanted, error)
    most, least = int(found["spec"]["maxReplicas"]), int(found["spec"].get("minReplicas", _DEFAULT_LEAST))
    problem = _AboveMaximumError(
        f"autoscaler {name}: {wanted} replicas at least are wanted, and its maxReplicas allows {most};"
        " raise maxReplicas in the stack or lower the number"
    )
    return Step(name, least, wanted, problem if wanted > most else None)


def _set(cluster: Cluster, namespace: str, step: Step, *, dry_run: bool) -> Step:
    if step.problem is not None or not step.differs:
        return step
    try:
        cluster.patch(_path(namespace, step.name), {"spec": {"minReplicas": step.wanted}}, dry_run=dry_run)
    except OpsError as error:
        return replace(step, problem=error)
    if not dry_run:
        log.info("autoscaler changed", name=step.name, found=step.found, minimum=step.wanted)
    return step


def _verdict(step: Step, *, check: bool, dry_run: bool) -> str:
    if step.problem is not None:
        return f"not changed: {step.problem}"
    if not step.differs:
        return f"at least {step.wanted} already"
    told = "is" if check else "would change from" if dry_run else "changed from"
    return f"{told} {step.found}, to be {step.wanted}" if check else f"{told} {step.found} to {step.wanted}"


def _data(level: Level, steps: Sequence[Step], *, check: bool, dry_run: bool) -> dict[str, object]:
    def plain(step: Step) -> dict[str, object]:
        told: dict[str, object] = {"name": step.name, "found": step.found, "wanted": step.wanted}
        changed = step.differs and step.problem is None and not check and not dry_run
        problem = {} if step.problem is None else {"problem": str(step.problem)}
        return told | {"changed": changed} | problem

    return {"level": str(level), "dryRun": dry_run, "check": check, "autoscalers": [plain(step) for step in steps]}
