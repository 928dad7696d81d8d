"""The namespace's certificates, as cert-manager reports them: nobody has to read a Secret for that (section 7.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from runbook import practices
from runbook.ops_settings import OpsSettings
from scripts.clients import kubernetes
from scripts.clients.kubernetes import Cluster
from scripts.health.model import Check, Finding, Status

_GROUP: Final = "cert-manager.io"
_NAME: Final = "certificates"
# cert-manager renews within minutes; what is late by so much is stuck.
_LATE: Final = timedelta(days=1)


def checks(settings: OpsSettings) -> list[Check]:
    """One check with a finding for each certificate."""
    return [Check(_NAME, partial(_look, settings.namespace))]


def _look(namespace: str, timeout: float) -> Sequence[Finding]:
    try:
        with kubernetes.connect(timeout) as cluster:
            if not _installed(cluster):
                return [Finding(_NAME, Status.UNKNOWN, detail="cert-manager is not installed")]
            found = list(cluster.items(f"/apis/{_GROUP}/v1/namespaces/{namespace}/certificates"))
    except kubernetes.ForbiddenError as error:
        return [Finding(_NAME, Status.UNKNOWN, detail=str(error))]
    return judge(found, datetime.now(UTC))


def _installed(cluster: Cluster) -> bool:
    groups: list[Any] = cluster.get("/apis")["groups"]
    return any(group["name"] == _GROUP for group in groups)


def judge(certificates: Iterable[Any], now: datetime) -> list[Finding]:
    """A finding for each certificate; a namespace without any is unknown."""
    found = [_certificate(each, now) for each in certificates]
    return found or [Finding(_NAME, Status.UNKNOWN, detail="the namespace has none")]


def remaining(name: str, end: datetime, now: datetime, detail: str = "") -> Finding:
    """The verdict on how long a certificate still lives."""
    days, limit = (end - now).total_seconds() / 86400, practices.CERTIFICATE_WARNING.value
    status = Status.OK if days >= limit else Status.FAIL
    value = f"{days:.1f} days left" if days > 0 else f"expired {-days:.1f} days ago"
    return Finding(name, status, value, f">= {limit:g} days", detail)


def _certificate(each: Any, now: datetime) -> Finding:
    name = f"certificate {each['metadata']['name']}"
    status: Any = each.get("status") or {}
    listed: list[Any] = status.get("conditions") or []
    nothing: Any = {}
    ready: Any = next((condition for condition in listed if condition.get("type") == "Ready"), nothing)
    told = str(ready.get("message") or ready.get("reason") or "nothing reported yet")
    if not status.get("notAfter"):
        return Finding(name, Status.FAIL, "not issued", "issued", told)
    finding = remaining(name, _time(status["notAfter"]), now)
    if ready.get("status") != "True":
        return Finding(name, Status.FAIL, finding.value, finding.threshold, told)
    renewal = status.get("renewalTime")
    if finding.status is Status.OK and renewal and _time(renewal) < now - _LATE:
        return Finding(name, Status.WARN, finding.value, finding.threshold, f"its renewal is due since {renewal}")
    return finding


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
