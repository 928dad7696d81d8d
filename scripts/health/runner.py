"""Runs checks side by side: the whole takes as long as its slowest, and one that hangs holds up none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from scripts import redact
from scripts.clients import background
from scripts.exits import OpsError
from scripts.health.model import Check, Finding, Result, Status
from scripts.output import one_line

# Clients are given the deadline themselves and then say what did not answer; this is for those that do not keep it.
_GRACE_SECONDS: Final = 1.0


def run(checks: Sequence[Check], timeout: float) -> list[Result]:
    """The findings of all checks in the order of ``checks``; each may take ``timeout`` seconds."""
    works = [(check.name, partial(_look, check, timeout)) for check in checks]
    found = background.within(timeout + _GRACE_SECONDS, works)
    late = f"no answer within {timeout:g} s"
    return [
        result
        for check, results in zip(checks, found, strict=True)
        for result in results or [Result(Finding(check.name, check.late, detail=late), timeout)]
    ]


def _look(check: Check, timeout: float) -> list[Result]:
    start = time.monotonic()
    try:
        findings = list(check.look(timeout))
        if not findings:
            findings = [Finding(check.name, Status.UNKNOWN, detail="nothing to look at")]
    except OpsError as error:
        findings = [Finding(check.name, Status.FAIL, detail=str(error))]
    except Exception as error:  # noqa: BLE001 - a finding
        findings = [Finding(check.name, Status.FAIL, detail=f"{type(error).__name__}: {error}")]
    took = time.monotonic() - start
    return [Result(_cleaned(finding), took) for finding in findings]


def _cleaned(finding: Finding) -> Finding:
    value, threshold, detail = map(redact.clean, (finding.value, finding.threshold, one_line(finding.detail)))
    return Finding(finding.name, finding.status, value, threshold, detail)
