"""``ops certificates``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from runbook.ops_settings import OpsSettings
from scripts.clients import addresses, tls
from scripts.health import certificates, check
from scripts.health.model import Check, Finding, Status
from scripts.output import Outcome


def run(settings: OpsSettings, endpoints: Sequence[str], authority: str | None, *, timeout: float) -> Outcome:
    """Every certificate and every endpoint; the code is 1 when one needs somebody, or when nothing was found."""
    for address in endpoints:
        addresses.split(address)
    asked = [Check(f"endpoint {address}", partial(_look, address, authority)) for address in endpoints]
    return check.judged([*certificates.checks(settings), *asked], timeout, fine=(Status.OK, Status.WARN))[1]


def _look(address: str, authority: str | None, timeout: float) -> Sequence[Finding]:
    return [certificates.remaining(f"endpoint {address}", tls.end(address, authority, timeout), datetime.now(UTC))]
