"""What Prometheus scrapes: a target that is down is a part of the system that nobody watches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from runbook.ops_settings import OpsSettings
from scripts.clients import prometheus
from scripts.clients.prometheus import Target
from scripts.health.model import Check, Finding, Status

_NAME: Final = "prometheus"
_NAMED: Final = 5


def checks(settings: OpsSettings) -> list[Check]:
    """One check on all targets."""
    return [Check(_NAME, partial(_look, settings))]


def _look(settings: OpsSettings, timeout: float) -> Sequence[Finding]:
    if settings.prometheus is None:
        return [Finding(_NAME, Status.UNKNOWN, detail="the settings name no Prometheus")]
    with prometheus.connect(settings, timeout) as server:
        return [judge(settings.namespace, server.targets())]


def judge(namespace: str, targets: Sequence[Target]) -> Finding:
    """The finding on the targets; those of other namespaces are somebody else's and only worth a warning."""
    own = [target for target in targets if target.namespace in ("", namespace)]
    down = [target for target in targets if target.health != "up"]
    value, threshold = f"{len(targets) - len(down)} of {len(targets)} up", "all up"
    if not own:
        return Finding(_NAME, Status.FAIL, value, threshold, f"it scrapes nothing of namespace {namespace}")
    ours = [target for target in down if target in own]
    status = Status.FAIL if ours else Status.WARN if down else Status.OK
    named = [*ours, *(target for target in down if target not in own)]
    details = [f"{target.name} {target.health} {target.error}".strip() for target in named[:_NAMED]]
    if len(named) > _NAMED:
        details.append(f"and {len(named) - _NAMED} more")
    return Finding(_NAME, status, value, threshold, "; ".join(details))
