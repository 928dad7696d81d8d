"""The services' own health pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from runbook.ops_settings import OpsSettings, ServiceTarget
from scripts import lazy
from scripts.exits import TemporaryError
from scripts.health.model import Check, Finding, Status

OK: Final = 200


def checks(settings: OpsSettings) -> list[Check]:
    """One check for each service."""
    return [Check(f"service {service.name}", partial(_look, service)) for service in settings.services]


def answer(service: ServiceTarget, seconds: float) -> int:
    """The status code of a health page, which may take so many seconds.

    Raises:
        TemporaryError: it does not answer; the line begins with its address.
    """
    try:
        # No proxy of the shell: these addresses are inside the cluster.
        with lazy.httpx.Client(trust_env=False, timeout=seconds) as client:
            return client.get(service.health_url).status_code
    except lazy.httpx.HTTPError as error:
        raise TemporaryError(f"{service.health_url}: {error or type(error).__name__}") from None


def _look(service: ServiceTarget, timeout: float) -> Sequence[Finding]:
    code = answer(service, timeout)
    name, status = f"service {service.name}", Status.OK if code == OK else Status.FAIL
    return [Finding(name, status, str(code), str(OK), "" if code == OK else service.health_url)]
