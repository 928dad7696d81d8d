"""The report for programs of one's own."""

from __future__ import annotations

import json
from typing import Any, Final

from policies.reporting.result import Entry, Result, Standing
from policies.sources.source import Skipped

# Counted up when a field changes its meaning or goes; new fields do not count.
VERSION: Final = 1


def text(result: Result) -> str:
    """One object: counts, findings, and the facts that each rule looked at."""
    content = {
        "version": VERSION,
        "clean": result.clean,
        "resources": result.resources,
        "counts": {str(standing): result.count(standing) for standing in Standing},
        "waivers": result.waivers,
        "matched": dict(result.matched),
        "passed_over": [_skipped(each) for each in result.passed_over],
        "not_read": [_skipped(each) for each in result.broken],
        "findings": [_finding(entry) for entry in result.entries],
    }
    return json.dumps(content, indent=2) + "\n"


def _skipped(skipped: Skipped) -> dict[str, str]:
    return {"file": skipped.file, "why": skipped.why}


def _finding(entry: Entry) -> dict[str, Any]:
    finding, verdict = entry.finding, entry.finding.judgement
    told: dict[str, Any] = {
        "rule": finding.rule.name,
        "severity": str(finding.rule.severity),
        "standing": str(entry.standing),
        "outcome": str(verdict.outcome),
        "resource": finding.resource,
        "urn": finding.urn,
        "path": verdict.path,
        "found": verdict.found,
        "allowed": verdict.allowed,
        "remediation": finding.rule.remediation,
        "section": finding.rule.section.number,
        "link": finding.rule.section.link,
        "file": entry.location.file,
        "line": entry.location.line,
        "message": finding.message,
    }
    if entry.waiver is not None:
        waiver = entry.waiver
        told["waiver"] = {
            "owner": waiver.owner,
            "reason": waiver.reason,
            "ticket": waiver.ticket,
            "expires": str(waiver.expires),
        }
    return told
