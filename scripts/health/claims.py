"""The PersistentVolumeClaims: one that is not bound is a datastore without its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from runbook.ops_settings import OpsSettings
from scripts.clients import kubernetes
from scripts.health.model import Check, Finding, Status


def checks(settings: OpsSettings) -> list[Check]:
    """One check on all of them."""
    return [Check("volume claims", partial(_look, settings.namespace))]


def _look(namespace: str, timeout: float) -> Sequence[Finding]:
    try:
        with kubernetes.connect(timeout) as cluster:
            return [judge(list(cluster.items(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims")))]
    except kubernetes.ForbiddenError as error:
        return [Finding("volume claims", Status.UNKNOWN, detail=str(error))]


def judge(claims: Iterable[Any]) -> Finding:
    """The finding on a namespace's claims; none at all is unknown, because the datastores have some."""
    phases = {str(claim["metadata"]["name"]): _phase(claim) for claim in claims}
    if not phases:
        return Finding("volume claims", Status.UNKNOWN, detail="the namespace has none")
    loose = sorted(f"{name}: {phase}" for name, phase in phases.items() if phase != "Bound")
    value = f"{len(phases) - len(loose)} of {len(phases)} bound"
    return Finding("volume claims", Status.FAIL if loose else Status.OK, value, "all bound", "; ".join(loose))


def _phase(claim: Any) -> str:
    status: Any = claim.get("status") or {}
    return str(status.get("phase", "unknown"))
