"""Runs checks side by side: the whole takes as long as its slowest, and one that hangs holds up none."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import Final

from scripts import redact
from scripts.exits import OpsError
from scripts.health.model import Check, Finding, Result, Status
from scripts.output import one_line

# Clients are given the deadline themselves and then say what did not answer; this is for those that do not keep it.
_GRACE_SECONDS: Final = 1.0


def run(checks: Sequence[Check], timeout: float) -> list[Result]:
    """The findings of all checks in the order of ``checks``; each may take ``timeout`` seconds."""
    answers: queue.SimpleQueue[tuple[int, list[Result]]] = queue.SimpleQueue()
    for number, check in enumerate(checks):
        # Daemon threads: one that never comes back must not keep the process.
        threading.Thread(target=_look, args=(answers, number, check, timeout), name=check.name, daemon=True).start()
    found: dict[int, list[Result]] = {}
    end = time.monotonic() + timeout + _GRACE_SECONDS
    while len(found) < len(checks):
        try:
            number, results = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[number] = results
    late = f"no answer within {timeout:g} s"
    return [
        result
        for number, check in enumerate(checks)
        for result in found.get(number, [Result(Finding(check.name, Status.FAIL, detail=late), timeout)])
    ]


def _look(answers: queue.SimpleQueue[tuple[int, list[Result]]], number: int, check: Check, timeout: float) -> None:
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
    answers.put((number, [Result(_cleaned(finding), took) for finding in findings]))


def _cleaned(finding: Finding) -> Finding:
    return Finding(
        finding.name, finding.status, finding.value, finding.threshold, redact.clean(one_line(finding.detail))
    )
