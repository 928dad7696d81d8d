"""``ops health``."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Final

from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts.exits import Exit
from scripts.health import (
    backups,
    certificates,
    claims,
    cluster,
    datastores,
    kafka,
    report,
    runner,
    services,
    targets,
    volumes,
)
from scripts.health.model import Check, Result, Status, worst
from scripts.output import Column, Outcome, Part, Screen

_COLOURS: Final = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "red", Status.UNKNOWN: "magenta"}


def run(settings: OpsSettings, *, timeout: float, tell: bool = False) -> Outcome:
    """Every check at once, each with ``timeout`` seconds; the exit code is 1 when any fails.

    With ``tell`` people get the result, and the next one is compared with it.
    """
    results, outcome = judged(checks(settings), timeout, fine=(Status.OK, Status.WARN, Status.UNKNOWN))
    return report.send(settings, results, outcome, timeout=timeout) if tell else outcome


def judged(checks: Sequence[Check], timeout: float, *, fine: Collection[Status]) -> tuple[list[Result], Outcome]:
    """What checks find side by side; the exit code is 1 unless the worst of it is ``fine``."""
    start = time.monotonic()
    results = runner.run(checks, timeout)
    took, status = time.monotonic() - start, worst(results)
    data = {"status": str(status), "took": round(took, 3), "checks": [plain(result) for result in results]}
    code = Exit.DONE if status in fine else Exit.FAILED
    return results, Outcome(data, lambda screen: print_results(screen, results, status, took), code)


def checks(settings: OpsSettings) -> list[Check]:
    """Everything that is looked at, in the order in which people read it."""
    return [
        *cluster.checks(settings),
        *services.checks(settings),
        *datastores.checks(settings),
        *kafka.checks(settings),
        *volumes.checks(settings),
        *claims.checks(settings),
        *targets.checks(settings),
        *certificates.checks(settings),
        *backups.checks(settings),
    ]


def plain(result: Result) -> dict[str, object]:
    """A result as data for machines; what is empty is left out."""
    finding = result.finding
    found: dict[str, object] = {
        "name": finding.name,
        "status": str(finding.status),
        "value": finding.value,
        "threshold": finding.threshold,
        "detail": finding.detail,
    }
    return {key: value for key, value in found.items() if value} | {"took": round(result.took, 3)}


def print_results(screen: Screen, results: Sequence[Result], status: Status, took: float) -> None:
    """The results as a table for people, and below it what the checks have to say."""
    screen.table(
        [Column("CHECK"), Column("STATUS", whole=True), Column("VALUE"), Column("LIMIT"), Column("TOOK", whole=True)],
        [
            [finding.name, _coloured(finding.status), finding.value, finding.threshold, duration(result.took)]
            for result in results
            for finding in [result.finding]
        ],
    )
    for result in results:
        if result.finding.detail:
            screen.line(f"{result.finding.name}: {result.finding.detail}")
    screen.line()
    screen.line(_coloured(status), f": {len(results)} checks in {duration(took)}")


def _coloured(status: Status) -> Part:
    return str(status), _COLOURS[status]
