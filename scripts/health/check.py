"""``ops health``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

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
    runner,
    services,
    targets,
    volumes,
)
from scripts.health.model import Check, Result, Status, worst
from scripts.output import Outcome

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS: Final = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "red", Status.UNKNOWN: "magenta"}


def run(settings: OpsSettings, *, timeout: float, tell: bool = False) -> Outcome:
    """Every check at once, each with ``timeout`` seconds; the exit code is 1 when any fails.

    With ``tell`` people get the result, and the next one is compared with it.
    """
    start = time.monotonic()
    results = runner.run(checks(settings), timeout)
    took = time.monotonic() - start
    status = worst(results)

    def show(console: Console) -> None:
        print_results(console, results, status, took)

    data = {"status": str(status), "took": round(took, 3), "checks": [plain(result) for result in results]}
    outcome = Outcome(data, show, Exit.FAILED if status is Status.FAIL else Exit.DONE)
    if not tell:
        return outcome
    from scripts.health import report

    return report.send(settings, results, outcome, timeout=timeout)


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


def print_results(console: Console, results: Sequence[Result], status: Status, took: float) -> None:
    """The results as a table for people, and below it what the checks have to say."""
    from rich.table import Table

    # A terminal of 80 columns cuts nothing off: long words fold, and details stand below in full.
    grid = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    for heading in ("CHECK", "STATUS", "VALUE", "LIMIT", "TOOK"):
        short = heading in ("STATUS", "TOOK")
        grid.add_column(heading, no_wrap=short, min_width=6 if short else None, overflow="fold")
    for result in results:
        finding = result.finding
        mark = f"[{_COLOURS[finding.status]}]{finding.status}[/]"
        grid.add_row(finding.name, mark, finding.value, finding.threshold, duration(result.took))
    console.print(grid)
    for result in results:
        if result.finding.detail:
            console.print(f"{result.finding.name}: {result.finding.detail}", highlight=False, markup=False)
    console.print(f"\n[{_COLOURS[status]}]{status}[/]: {len(results)} checks in {duration(took)}", highlight=False)
