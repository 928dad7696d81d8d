"""``ops certificates``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from runbook.ops_settings import OpsSettings
from scripts.clients import tls
from scripts.exits import Exit
from scripts.health import certificates, check, runner
from scripts.health.model import Check, Finding, Status, worst
from scripts.output import Outcome, Screen


def run(settings: OpsSettings, endpoints: Sequence[str], authority: str | None, *, timeout: float) -> Outcome:
    """Every certificate and every endpoint; the code is 1 when one needs somebody, or when nothing was found."""
    for address in endpoints:
        tls.split(address)
    start = time.monotonic()
    asked = [Check(f"endpoint {address}", partial(_look, address, authority)) for address in endpoints]
    results = runner.run([*certificates.checks(settings), *asked], timeout)
    took, status = time.monotonic() - start, worst(results)

    def show(screen: Screen) -> None:
        check.print_results(screen, results, status, took)

    data = {"status": str(status), "took": round(took, 3), "checks": [check.plain(result) for result in results]}
    return Outcome(data, show, Exit.DONE if status in (Status.OK, Status.WARN) else Exit.FAILED)


def _look(address: str, authority: str | None, timeout: float) -> Sequence[Finding]:
    return [certificates.remaining(f"endpoint {address}", tls.end(address, authority, timeout), datetime.now(UTC))]
