"""``ops access review``: who can do what, what is to be looked at, and what differs from the last review."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from runbook.bucket import ACCESS
from runbook.ops_settings import OpsSettings
from scripts import log, notify
from scripts.access.findings import Flag, judge
from scripts.access.grants import bound, collect
from scripts.clients import kubernetes
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, Exit
from scripts.output import Outcome, say

_VERSION: Final = 1
_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Review:
    """What a review found; ``rights`` are the lines of each subject, ``accounts`` the namespace's ServiceAccounts.

    ``accepted`` has what a waiver says of a finding, by the finding's line.
    """

    time: str
    namespace: str
    rights: dict[str, list[str]]
    flags: list[Flag]
    accounts: list[str]
    accepted: dict[str, str]

    def text(self) -> str:
        """As it is kept in the bucket."""
        found = {"version": _VERSION, **asdict(self), "flags": [astuple(flag) for flag in self.flags]}
        return json.dumps(found, indent=1, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs from the previous review, of time ``since`` (None: there was none); each entry is one line."""

    since: str | None
    new_flags: list[str]
    gone_flags: list[str]
    granted: list[str]
    revoked: list[str]


def run(settings: OpsSettings, *, dry_run: bool, silent: bool) -> Outcome:
    """Review, compare, keep the review and tell people; the exit code is 1 when something flagged is new.

    The first review is what later ones are compared with: all of it is told, and nothing is new.

    The review is kept last: a run that is killed before has told nobody that anything is known.

    Raises:
        CheckFailedError: the previous review is damaged.
    """
    bucket = Bucket(settings.backup)
    folder = settings.backup.prefix + ACCESS
    before = _previous(bucket, folder)
    now = datetime.now(UTC)
    review = _look(settings, now)
    differences = compare(before, review)
    lines = report(review, differences)
    kind = "new finding" if before else "finding"
    first = "" if before else "the first, "
    subject = f"Access review of {settings.namespace}: {first}{_count(len(differences.new_flags), kind)}"
    told = [] if dry_run or silent else notify.send(settings, notify.Message(subject, "\n".join(lines)))
    # To the microsecond: the order of the names is the order in which the reviews were made.
    key = f"{folder}{now:%Y%m%dT%H%M%S.%fZ}.json"
    if not dry_run:
        bucket.write_json(key, review.text())
        log.info("review kept", key=key)
    return Outcome(
        _data(review, differences, None if dry_run else key, told),
        say(*lines),
        Exit.FAILED if before and differences.new_flags else Exit.DONE,
    )


def compare(before: Review | None, now: Review) -> Differences:
    """What differs; without a previous review everything is new."""

    def lines(review: Review | None) -> set[str]:
        return {f"{name}: {line}" for name, found in review.rights.items() for line in found} if review else set()

    old, new = set(before.flags) if before else set[Flag](), set(now.flags)
    return Differences(
        before.time if before else None,
        [str(flag) for flag in sorted(new - old)],
        [str(flag) for flag in sorted(old - new) if str(flag) not in now.accepted],
        sorted(lines(now) - lines(before)) if before else [],
        sorted(lines(before) - lines(now)),
    )


def report(review: Review, differences: Differences) -> list[str]:
    """The review for people: what is new first."""
    since = f"since {differences.since}" if differences.since else "(the first review: later ones are compared with it)"
    known = sorted({str(flag) for flag in review.flags} - set(differences.new_flags))
    parts = (
        (f"{'NEW FINDINGS' if differences.since else 'findings'} {since}", differences.new_flags),
        ("no longer found", differences.gone_flags),
        ("granted", differences.granted),
        ("revoked", differences.revoked),
        ("findings that were known", known),
        ("findings that a waiver accepts", [f"{line}, {said}" for line, said in review.accepted.items()]),
    )
    told = [line for title, lines in parts if lines for line in (f"{title}:", *(f"  {one}" for one in lines), "")]
    if not differences.new_flags:
        told = [f"{'no new findings' if differences.since else 'no findings'} {since}", "", *told]
    told.append(f"who can do what in {review.namespace}:")
    for subject, rights in review.rights.items():
        told += [f"  {subject}", *(f"    {line}" for line in rights)]
    bare = [name for name in review.accounts if f"ServiceAccount {review.namespace}/{name}" not in review.rights]
    return [*told, f"  {_count(len(bare), 'account')} without any right: {', '.join(bare) or 'none'}"]


def _look(settings: OpsSettings, now: datetime) -> Review:
    with kubernetes.connect(_SECONDS) as cluster:
        grants, accounts = collect(cluster, settings.namespace)
        limited = bound(cluster, settings.namespace)
    rights: dict[str, list[str]] = {}
    for grant in sorted(grants, key=lambda grant: grant.subject):
        found = rights.setdefault(grant.subject, [])
        found += [line for line in grant.lines() if line not in found]
    ordered = {subject: sorted(lines) for subject, lines in rights.items()}
    judged = judge(grants, limited, settings.waivers, now.date())
    return Review(f"{now:%Y-%m-%dT%H:%M:%SZ}", settings.namespace, ordered, judged.flags, accounts, judged.accepted)


def _previous(bucket: Bucket, folder: str) -> Review | None:
    # Names begin with their time.
    found = [key for key in bucket.keys(folder) if key.endswith(".json")]
    return _parse(bucket.read(found[-1]), found[-1]) if found else None


def _parse(content: bytes, key: str) -> Review:
    try:
        data: Any = json.loads(content)
        if data["version"] != _VERSION:
            raise CheckFailedError(f"review {key} is of version {data['version']}; this release knows {_VERSION}")
        flags = [Flag(*flag) for flag in data["flags"]]
        # Reviews of earlier releases knew no waivers.
        accepted = data.get("accepted", {})
        return Review(data["time"], data["namespace"], data["rights"], flags, data["accounts"], accepted)
    except (ValueError, KeyError, TypeError):
        raise CheckFailedError(f"review {key} is damaged; look at it, and remove it to begin anew") from None


def _data(review: Review, differences: Differences, key: str | None, told: list[notify.Delivery]) -> dict[str, object]:
    return {
        "first": differences.since is None,
        "since": differences.since,
        "new": differences.new_flags,
        "gone": differences.gone_flags,
        "granted": differences.granted,
        "revoked": differences.revoked,
        "findings": len(review.flags),
        "accepted": review.accepted,
        "subjects": len(review.rights),
        "kept": key,
        "notified": notify.plain(told),
        "rights": review.rights,
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
