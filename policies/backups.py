"""Rules about backups as a whole: the jobs, the bucket and its lifecycle say the same (sections 5.1 to 5.5)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final, cast

from policies import kinds
from policies.index import StackIndex, refers
from policies.model import (
    Judgement,
    Meta,
    Parameter,
    Parameters,
    Resource,
    Severity,
    among,
    decide,
    expect,
    expect_equal,
    undecided,
)
from policies.plain import MISSING, UNKNOWN, Node, Plain, show, to_plain
from policies.values import whole
from runbook import bucket as places
from runbook import practices, schedules, thresholds
from runbook.ops_paths import CONFIG_FILE
from runbook.sections import Section

_RETENTION: Final = thresholds.BACKUP_RETENTION


def told(index: StackIndex, section: str) -> Iterator[tuple[Resource, Node]]:
    """What the operations program is told of something: its ConfigMap, and the section of its JSON."""
    for config_map in index.of(kinds.CONFIG_MAP):
        content = config_map.at("data").at(CONFIG_FILE)
        if content.unknown and config_map.at("data").value is not UNKNOWN:
            yield config_map, Node(UNKNOWN)
        elif content.text is not None:
            yield config_map, Node(_parsed(content.text)).at(section)


def _parsed(text: str) -> Plain:
    try:
        return to_plain(cast("object", json.loads(text)))
    except (ValueError, RecursionError):
        return MISSING


def _bucket_of(index: StackIndex, name: Node) -> Resource | None:
    buckets = index.once("buckets by name", lambda: {each.at("bucket").text: each for each in index.of(kinds.BUCKET)})
    return buckets.get(name.text) if name.text is not None else None


def _target(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    # Rendered manifests know no buckets at all, and say nothing of one that is missing.
    if not index.of(kinds.BUCKET):
        return
    for config_map, backup in told(index, "backup"):
        name, allowed = backup.at("bucket"), "a bucket that the stack declares"
        known = index.once("bucket names", lambda: {bucket.at("bucket").scalar for bucket in index.of(kinds.BUCKET)})
        declared = None if name.unknown else among(name.scalar in known - {MISSING}, unsure=UNKNOWN in known)
        yield config_map, decide(declared, "backup.bucket", show(name.value), allowed)


def _equal_retention(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for config_map, backup in told(index, "backup"):
        days, allowed = backup.at("retentionDays"), f"{_RETENTION.count} days or more, as in the bucket's lifecycle"
        if days.unknown:
            yield config_map, undecided("backup.retentionDays", allowed)
            continue
        yield config_map, expect(days, lambda value: whole(value) >= _RETENTION.count, allowed)
        bucket, prefix = _bucket_of(index, backup.at("bucket")), backup.at("prefix").text or ""
        if bucket is None:
            continue
        for lifecycle in index.attached(kinds.BUCKET_LIFECYCLE, bucket):
            if refers(lifecycle, lifecycle.at("bucket"), bucket, bucket.at("bucket")):
                yield from ((lifecycle, judged) for judged in _as_long(lifecycle, days, prefix))


def _as_long(lifecycle: Resource, days: Node, prefix: str) -> Iterator[Judgement]:
    """Each kind of backup ends in the bucket when it ends for the job."""
    rules = lifecycle.at("rules")
    if rules.unknown:
        yield undecided(rules.path, "the retention of the jobs")
        return
    for kind in places.BACKUP_KINDS:
        found = [rule for rule in rules.elements() if _reaches(rule, f"{prefix}{kind}/")]
        allowed = f"{show(days.value)} for {kind}, as the jobs have it"
        for rule in found:
            yield expect(rule.at("expiration", "days"), lambda value: value == days.value, allowed)
        if not found:
            hidden = any(rule.at("filter").hidden for rule in rules.elements())
            yield decide(None if hidden else False, rules.path, f"without a rule for {kind}", allowed)


def _reaches(rule: Node, prefix: str) -> bool:
    """An enabled rule that ends what lies under the prefix."""
    places_stated = (rule.at("filter", "prefix"), rule.at("filter", "and", "prefix"), rule.at("prefix"))
    own = next((stated.text for stated in places_stated if stated.text is not None), "")
    hidden = rule.at("filter").hidden
    ends = rule.at("expiration").present and rule.at("status").value == "Enabled"
    return ends and not hidden and prefix.startswith(own)


def _lock(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    retention = resource.at("rule", "defaultRetention")
    yield expect_equal(retention.at("mode"), "COMPLIANCE")
    allowed = f"1 to {_RETENTION.count} days: what is locked for longer cannot be deleted when it is due"
    yield expect(retention.at("days"), lambda value: 1 <= whole(value) <= _RETENTION.count, allowed)


def _locked(index: StackIndex, parameters: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    if not parameters["production"]:
        return
    for config_map, backup in told(index, "backup"):
        bucket = _bucket_of(index, backup.at("bucket"))
        if bucket is None:
            continue
        locks = index.attached(kinds.BUCKET_LOCK, bucket)
        verdicts = [refers(lock, lock.at("bucket"), bucket, bucket.at("bucket")) for lock in locks]
        path, allowed = "its BucketObjectLockConfiguration", "one of this bucket, in production"
        if True not in verdicts and None in verdicts:
            yield config_map, undecided(path, allowed)
        else:
            yield bucket, decide(True in verdicts, path, "missing", allowed)


def _encrypted(index: StackIndex, parameters: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    if not parameters["production"]:
        return
    allowed = "an age recipient (age1...), in production"
    for config_map, backup in told(index, "backup"):
        yield config_map, expect(backup.at("publicKey"), lambda value: str(value).startswith("age1"), allowed)


def _signed(index: StackIndex, parameters: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    if not parameters["production"]:
        return
    for config_map, backup in told(index, "backup"):
        stated = {name: backup.at("signers").at(name).at("publicKeys") for name in places.SIGNERS}
        for name, node in stated.items():
            others = [key for other, each in stated.items() if other != name for key in _listed(each)]
            own = partial(_of_its_own, others=others)
            yield config_map, expect(node, own, f"public keys that sign for {name} alone, in production")


def _listed(node: Node) -> list[Plain]:
    return node.value if isinstance(node.value, list) else []


def _of_its_own(value: Plain, others: list[Plain]) -> bool:
    return isinstance(value, list) and bool(value) and not any(key in others for key in value)


def _jobs(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    declared: dict[str | None, set[str | None]] = {}
    for job in index.of(kinds.CRON_JOB):
        declared.setdefault(job.namespace, set()).add(job.object_name)
    for system in index.systems:
        names = declared.get(system.object_name, set()) | declared.get(None, set())
        for schedule in schedules.ALL:
            path, allowed = f"its CronJob {schedule.name}", f"the job of {schedule.section}: {schedule.meaning}"
            yield system, decide(among(schedule.name in names, unsure=None in names), path, "missing", allowed)


def _key(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    least = practices.KEY_DELETION.count
    yield expect_equal(resource.at("enableKeyRotation"), True)
    days = resource.at("deletionWindowInDays")
    # AWS's own default is the most that it has.
    yield expect(days, lambda value: value is MISSING or whole(value) >= least, f"{least} days")


RULES: Final = (
    Meta(
        "backup-target-declared",
        "The jobs upload to the bucket that the stack declares and protects.",
        Severity.CRITICAL,
        Section.DATABASE_BACKUP,
        "Take the bucket of ops-config and the bucket's own name from crypto:backup.bucket.",
    ).of_stack(_target),
    Meta(
        "backup-retention-equal",
        "The job that ends old backups and the bucket's lifecycle keep them equally long.",
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        "Take both from crypto:backup.retentionDays.",
    ).of_stack(_equal_retention),
    Meta(
        "object-lock-within-retention",
        "Locked backups cannot be deleted by anybody, and can be when they are due.",
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        "Set mode COMPLIANCE and days to the retention at most (crypto:backup.objectLockDays).",
        reference="AWS FSBP S3.15",
    ).of_resource(kinds.one_of(kinds.BUCKET_LOCK), _lock),
    Meta(
        "backups-locked",
        "In production, nobody can delete a fresh backup, whatever credentials were taken.",
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        "Set crypto:backup.objectLockDays above 0.",
        reference="AWS FSBP S3.15",
        parameters=(Parameter("production", {"type": "boolean"}, False),),
    ).of_stack(_locked),
    Meta(
        "backups-encrypted",
        "In production, backups are encrypted for a key that no job which writes them has.",
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        "Set crypto:backup.publicKey to what age-keygen prints; the Secret backup-key has the private key.",
        parameters=(Parameter("production", {"type": "boolean"}, False),),
    ).of_stack(_encrypted),
    Meta(
        "backups-signed",
        "In production, a backup and its proof are signed, each by a key that no other job has.",
        Severity.HIGH,
        Section.DATABASE_BACKUP,
        "Set crypto:backup.signers; docs/operations/backups.md says how the keys are made.",
        parameters=(Parameter("production", {"type": "boolean"}, False),),
    ).of_stack(_signed),
    Meta(
        "runbook-jobs-declared",
        "Every procedure that the runbook does by the clock is a job of the stack.",
        Severity.HIGH,
        Section.MAINTENANCE_WINDOWS,
        "Declare the CronJob (runbook.jobs); suspend a job that must rest, and do not remove it.",
    ).of_stack(_jobs),
    Meta(
        "key-recoverable",
        "The key of the backups is renewed each year, and its deletion can be taken back.",
        Severity.CRITICAL,
        Section.DATABASE_BACKUP,
        "Set enableKeyRotation: true and deletionWindowInDays: 30.",
        reference="CIS AWS 3.8; AWS FSBP KMS.3, KMS.4",
    ).of_resource(kinds.one_of(kinds.KMS_KEY), _key),
)
