"""``ops drill``: restores all three kinds from the bucket alone, and leaves signed evidence of it (section 5.5).

RPO is the age of the newest proven backup when the drill begins: what would be lost. RTO is how long its restore took.
The report is signed by HMAC-SHA-256 under a key derived from the private key of the backups: the drill has that key and
needs no other, nobody who can write into the bucket has it, and whoever may restore can check it
(`ops drill --check KEY`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from runbook.bucket import DRILLS
from runbook.ops_settings import OpsSettings
from runbook.units import duration
from scripts import log, notify, redact
from scripts.backup import shrinkage, trial
from scripts.backup.age import PrivateKey
from scripts.backup.catalog import Verified
from scripts.backup.manifest import Manifest, age_seconds
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, Exit, OpsError, UsageError, worst
from scripts.output import Outcome, Screen, one_line, say

_PURPOSE: Final = "drill report"
_METHOD: Final = "HMAC-SHA-256, key derived from the private key of the backups"


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind in the drill. Times in seconds; ``error`` None: it was restored. ``shrunk`` says how far it fell."""

    kind: str
    backup: str | None
    rpo: float | None
    rto: float | None
    method: str
    compared: tuple[str, ...]
    counts: Mapping[str, int]
    error: str | None
    code: Exit = Exit.DONE
    shrunk: str | None = None

    def plain(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "id": self.backup,
            "restored": self.error is None,
            "rpoSeconds": self.rpo,
            "rtoSeconds": self.rto,
            "method": self.method,
            "compared": list(self.compared),
            "counts": dict(self.counts),
            "error": self.error,
            "shrunk": self.shrunk,
        }


def run(settings: OpsSettings, *, scratch: Path | None = None, dry_run: bool = False) -> Outcome:
    """Restore the newest proven backup of each kind into a scratch place, write the report and tell people.

    Exit 1 where a kind has no proven backup or does not restore; the report says so.

    Raises:
        UsageError: the bucket or the private key is not as it must be.
    """
    bucket = Bucket(settings.backup)
    started = datetime.now(UTC)
    key = _key(settings)
    newest = {kind: catalog.newest_proven() for kind, catalog in trial.catalogs(settings, bucket).items()}
    if dry_run:
        return _would({kind: None if found is None else found.manifest.id for kind, found in newest.items()})
    findings = [_try(settings, bucket, scratch, kind, found, started) for kind, found in newest.items()]
    report = _report(settings, findings, started)
    name = f"{settings.backup.prefix}{DRILLS}{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.json"
    bucket.write_json(name, signed(report, key))
    log.info("drill report written", key=name, signed=key is not None)
    told = sum(delivery.sent for delivery in notify.send(settings, _message(findings, name)))
    return _outcome(findings, name, told, signed_by_key=key is not None)


def check(settings: OpsSettings, name: str) -> Outcome:
    """Whether a report in the bucket is as the drill wrote it.

    Raises:
        CheckFailedError: it was altered, or never signed.
        UsageError: there is no private key, or no such report.
    """
    key = _key(settings)
    if key is None:
        raise UsageError("the settings name no private key; give its file as backup.privateKeyFile")
    full = name if name.startswith(settings.backup.prefix) else f"{settings.backup.prefix}{DRILLS}{name}"
    content = Bucket(settings.backup).read(full)
    try:
        told = json.loads(content)
        report, signature = told["report"], told["signature"]
    except (ValueError, KeyError, TypeError):
        raise CheckFailedError(f"{full} is no report of a drill") from None
    if not isinstance(signature, dict) or signed(report, key) != content.decode():
        raise CheckFailedError(f"{full} is not as the drill wrote it: its signature is wrong")

    def show(screen: Screen) -> None:
        screen.line(f"{full} is as the drill wrote it.")
        screen.document(json.dumps(report, indent=2, ensure_ascii=False) + "\n")

    return Outcome({"key": full, "valid": True, "report": report}, show)


def signed(report: Mapping[str, Any], key: PrivateKey | None) -> str:
    """The report with its signature, as it stands in the bucket. What is signed is its JSON with sorted keys."""
    canonical = json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signature = None
    if key is not None:
        signature = {"method": _METHOD, "publicKey": key.public_key, "value": key.seal(_PURPOSE, canonical)}
    return json.dumps({"report": report, "signature": signature}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _key(settings: OpsSettings) -> PrivateKey | None:
    file = settings.backup.private_key_file
    return None if file is None else PrivateKey.read(file)


def _try(
    settings: OpsSettings,
    bucket: Bucket,
    scratch: Path | None,
    kind: str,
    found: Verified[Manifest] | None,
    started: datetime,
) -> Finding:
    if found is None:
        reason = "no proven backup; see ops backups verify"
        return Finding(kind, None, None, None, "", (), {}, reason, Exit.FAILED)
    manifest = found.manifest
    shrunk = None if found.shrunk is None else shrinkage.figures(found.shrunk, manifest.unit)
    rpo = round(age_seconds(manifest, started), 3)
    try:
        result = trial.run(settings, bucket, manifest, scratch, cluster=True)
    except OpsError as error:
        message = one_line(redact.clean(str(error)))
        log.error("not restored", kind=kind, id=manifest.id, reason=message)
        return Finding(kind, manifest.id, rpo, None, "", (), {}, message, error.code, shrunk)
    return Finding(
        kind, manifest.id, rpo, result.seconds, result.method, result.compared, result.counts, None, shrunk=shrunk
    )


def _report(settings: OpsSettings, findings: Sequence[Finding], started: datetime) -> dict[str, Any]:
    return {
        "formatVersion": 1,
        "startedAt": started.isoformat(timespec="seconds"),
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "namespace": settings.namespace,
        "bucket": settings.backup.bucket,
        "prefix": settings.backup.prefix,
        "passed": all(finding.error is None for finding in findings),
        "kinds": [finding.plain() for finding in findings],
    }


def _message(findings: Sequence[Finding], name: str) -> notify.Message:
    failed = [finding.kind for finding in findings if finding.error is not None]
    subject = f"Restore drill failed: {', '.join(failed)}" if failed else "Restore drill passed"
    return notify.Message(subject, "\n".join([*map(_line, findings), "", f"Report: {name}"]))


def _would(newest: Mapping[str, str | None]) -> Outcome:
    lines = (f"Would restore {name}" if name else f"No {kind} backup is proven" for kind, name in newest.items())
    return Outcome({"dry_run": True, "backups": dict(newest)}, say(*lines))


def _outcome(findings: Sequence[Finding], name: str, told: int, *, signed_by_key: bool) -> Outcome:
    code = worst(finding.code for finding in findings)
    data: dict[str, object] = {
        "report": name,
        "signed": signed_by_key,
        "passed": code is Exit.DONE,
        "kinds": [finding.plain() for finding in findings],
        "notified": told,
    }
    if errors := [f"{finding.kind}: {finding.error}" for finding in findings if finding.error]:
        data["error"] = "; ".join(errors)

    note = "" if signed_by_key else " (not signed: the settings name no private key)"
    return Outcome(data, say(*map(_line, findings), f"Report: {name}{note}"), code)


def _line(finding: Finding) -> str:
    if finding.error is not None:
        return f"{finding.kind}: NOT restored: {finding.error}"
    return (
        f"{finding.kind}: {finding.backup} restored ({finding.method}); "
        f"RPO {duration(finding.rpo or 0)}, RTO {duration(finding.rto or 0)}"
        f"{f'; it has shrunk: {finding.shrunk}' if finding.shrunk else ''}"
    )
