"""The services' own health pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from runbook.ops_settings import OpsSettings, ServiceTarget
from scripts import lazy
from scripts.health.model import Check, Finding, Status


def checks(settings: OpsSettings) -> list[Check]:
    """One check for each service."""
    return [Check(f"service {service.name}", partial(_look, service)) for service in settings.services]


def _look(service: ServiceTarget, timeout: float) -> Sequence[Finding]:
    name = f"service {service.name}"
    try:
        # No proxy of the shell: these addresses are inside the cluster.
        with lazy.httpx.Client(trust_env=False, timeout=timeout) as client:
            code = client.get(service.health_url).status_code
    except lazy.httpx.HTTPError as error:
        return [Finding(name, Status.FAIL, detail=f"{service.health_url}: {error or type(error).__name__}")]
    if code == int(lazy.httpx.codes.OK):
        return [Finding(name, Status.OK, str(code), "200")]
    return [Finding(name, Status.FAIL, str(code), "200", service.health_url)]
