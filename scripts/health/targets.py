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
_UP: Final = "up"
# What Prometheus says of a target between its discovery and the end of its first scrape.
_NEW: Final = "unknown"


def checks(settings: OpsSettings) -> list[Check]:
    """One check on all targets."""
    return [Check(_NAME, partial(_look, settings))]


def _look(settings: OpsSettings, timeout: float) -> Sequence[Finding]:
    if settings.prometheus is None:
        return [Finding(_NAME, Status.UNKNOWN, detail="the settings name no Prometheus")]
    with prometheus.connect(settings, timeout) as server:
        return [judge(settings.namespace, server.targets())]


def judge(namespace: str, targets: Sequence[Target]) -> Finding:
    """The finding on the targets.

    Those of other namespaces are somebody else's and only worth a warning. So is one that was never scraped: it was
    found a moment ago, and one scrape tells. Where that is all there is of our own, nobody has looked yet.
    """
    own = [target for target in targets if target.namespace in ("", namespace)]
    up = [target for target in targets if target.health == _UP]
    value, threshold = f"{len(up)} of {len(targets)} up", "all up"
    if not own:
        return Finding(_NAME, Status.FAIL, value, threshold, f"it scrapes nothing of namespace {namespace}")
    others = [target for target in targets if target not in own]
    named = [target for part in (own, others) for target in sorted(part, key=_waits) if target.health != _UP]
    return Finding(_NAME, _status(own, bool(named)), value, threshold, _details(named))


def _status(own: Sequence[Target], named: bool) -> Status:
    health = {_UP if target.health == _UP else _NEW if _waits(target) else "down" for target in own}
    if "down" in health:
        return Status.FAIL
    if health == {_NEW}:
        return Status.UNKNOWN
    return Status.WARN if named else Status.OK


def _waits(target: Target) -> bool:
    return target.health == _NEW


def _details(named: Sequence[Target]) -> str:
    details = [_detail(target) for target in named[:_NAMED]]
    if len(named) > _NAMED:
        details.append(f"and {len(named) - _NAMED} more")
    return "; ".join(details)


def _detail(target: Target) -> str:
    return f"{target.name} {'not scraped yet' if _waits(target) else target.health} {target.error}".strip()
