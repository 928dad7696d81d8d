"""SARIF 2.1.0, which code hosts show beside the line: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final
from urllib.parse import quote

from policies.configuring.levels import BLOCKING
from policies.model import Meta, Severity
from policies.reporting.result import Entry, Result, Standing
from policies.sources.source import Skipped

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Standing.MANDATORY: "error", Standing.ADVISORY: "warning", Standing.WAIVED: "error"}
# GitHub sorts by this number, as CVSS does: above 9 is critical, above 7 high, above 4 medium.
_SCORES: Final = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}


def text(result: Result) -> str:
    """One run with every rule, also those that found nothing: their alerts are closed by it."""
    position = {meta.name: number for number, meta in enumerate(result.rules)}
    run = {
        "tool": {
            "driver": {
                "name": "crypto-policy",
                "organization": "crypto",
                "rules": [_rule(meta, result) for meta in result.rules],
            }
        },
        # One category for the code host: a run replaces the earlier runs of the same, and no other tool's.
        "automationDetails": {"id": "crypto-policy/"},
        "invocations": [
            {
                "executionSuccessful": not result.broken,
                "toolExecutionNotifications": [
                    *(_notification("error", each) for each in result.broken),
                    *(_notification("note", each) for each in result.passed_over),
                ],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"PROJECT": {"description": {"text": "The root of the repository."}}},
        "results": [_result(entry, position[entry.finding.rule.name]) for entry in result.entries],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(meta: Meta, result: Result) -> dict[str, Any]:
    link = f"[Runbook {meta.section}]({meta.section.link})"
    return {
        "id": meta.name,
        "shortDescription": {"text": meta.description},
        "help": {
            "text": f"{meta.remediation} Runbook {meta.section} ({meta.section.link}).",
            "markdown": f"{meta.remediation} {link}.",
        },
        "defaultConfiguration": {"level": "error" if result.levels[meta.name] in BLOCKING else "warning"},
        "properties": {
            "security-severity": _SCORES[meta.severity],
            "tags": ["policy", f"runbook-{meta.section.number}"],
        },
    }


def _result(entry: Entry, rule_index: int) -> dict[str, Any]:
    finding = entry.finding
    told: dict[str, Any] = {
        "ruleId": finding.rule.name,
        "ruleIndex": rule_index,
        # What is not yet known is open: neither a pass nor a failure, and by the standard without a level.
        "kind": "open" if entry.standing is Standing.UNKNOWN else "fail",
        "level": _LEVELS.get(entry.standing, "none"),
        "message": {"text": finding.message},
        "locations": [_location(entry)],
        "partialFingerprints": {"crypto-policy/v1": _fingerprint(entry)},
    }
    if entry.waiver is not None:
        waiver = entry.waiver
        said = f"{waiver.reason} ({waiver.owner}, {waiver.ticket}, until {waiver.expires})"
        told["suppressions"] = [{"kind": "external", "status": "accepted", "justification": said}]
    return told


def _location(entry: Entry) -> dict[str, Any]:
    finding = entry.finding
    logical = {"name": finding.resource, "fullyQualifiedName": finding.urn or finding.resource, "kind": "resource"}
    return {
        "physicalLocation": {
            "artifactLocation": _artifact(entry.location.file),
            "region": {"startLine": entry.location.line},
        },
        "logicalLocations": [logical],
    }


def _artifact(file: str) -> dict[str, str]:
    """A file by its URI. GitHub takes relative ones for the repository's, and joins absolute ones with ``file://``."""
    if file.startswith("/"):
        return {"uri": f"file://{quote(file)}"}
    # A colon in the first part would end a scheme.
    uri = quote(file)
    return {"uri": f"./{uri}" if ":" in uri.partition("/")[0] else uri, "uriBaseId": "PROJECT"}


def _notification(level: str, skipped: Skipped) -> dict[str, Any]:
    return {
        "level": level,
        "message": {"text": str(skipped)},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(skipped.file)}}],
    }


def _fingerprint(entry: Entry) -> str:
    """The same for the same finding in the next run, wherever its line has moved to and whatever its value is then."""
    finding = entry.finding
    parts = (finding.rule.name, finding.urn or finding.resource, finding.judgement.path, finding.judgement.allowed)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
