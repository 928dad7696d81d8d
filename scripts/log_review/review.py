"""``ops logs``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from runbook.bucket import LOGS
from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import reporting
from scripts.clients import kubernetes, pod_logs
from scripts.clients.documents import Documents
from scripts.clients.kubernetes import Cluster
from scripts.clients.pod_logs import Container
from scripts.exits import CheckFailedError, Exit, OpsError
from scripts.log_review import memory
from scripts.log_review.grouping import Group, Groups
from scripts.log_review.memory import Memory
from scripts.log_review.parsing import Level, events
from scripts.notify import Message
from scripts.output import Outcome, Screen

_READ_SECONDS: Final = 60.0
# What is shown; the rest is counted. The memory keeps all of them.
_SHOWN: Final = 100
_TOLD: Final = 20


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    groups: Groups = field(default_factory=Groups)
    logs: int = 0
    lines: int = 0
    bytes: int = 0
    unread: list[str] = field(default_factory=list[str])


def run(settings: OpsSettings, *, since_seconds: int, tell: bool, dry_run: bool) -> Outcome:
    """Group the errors of all pods since ``since_seconds`` ago; the code is 1 when an error is new.

    The first review of all is what later ones are compared with: it tells people what there is, and nothing is new.

    Raises:
        OpsError: the bucket or the cluster does not answer.
    """
    documents = Documents(settings, LOGS)
    before = documents.read(memory.NAME)
    known = memory.parse(None if before is None else before.text, documents.where(memory.NAME))
    reading = _read(settings.namespace, since_seconds)
    # A memory that cannot be read is no first review: what nobody can look up is new.
    first = before is None
    outcome = _outcome(settings, reading, known, since_seconds, first=first)
    if dry_run:
        return outcome
    if tell and any(_bad(group) for group in _new(reading, known)):
        outcome = _told(settings, reading, known, outcome, first=first)
    return _kept(documents, reading, outcome)


def _read(namespace: str, since_seconds: int) -> _Reading:
    reading = _Reading()
    with kubernetes.connect(_READ_SECONDS) as cluster:
        pods = cluster.items(f"/api/v1/namespaces/{namespace}/pods")
        for container in list(pod_logs.containers(pods)):
            try:
                _read_one(cluster, namespace, container, since_seconds, reading)
            except kubernetes.ForbiddenError:
                raise
            except OpsError as error:
                # The log of a run before the last restart, or of a pod that has just ended, may be gone already.
                if not (container.previous and isinstance(error, CheckFailedError)):
                    reading.unread.append(f"{container}: {error}")
    return reading


def _read_one(cluster: Cluster, namespace: str, container: Container, since_seconds: int, reading: _Reading) -> None:
    reading.logs += 1
    lines = pod_logs.lines(cluster, namespace, container, {"sinceSeconds": since_seconds})
    for event in events(_counted(lines, reading)):
        reading.groups.add(container.service, container.pod, event)


def _counted(lines: Iterable[bytes], reading: _Reading) -> Iterator[bytes]:
    for line in lines:
        reading.lines += 1
        reading.bytes += len(line) + 1
        yield line


def _outcome(settings: OpsSettings, reading: _Reading, known: Memory, since_seconds: int, *, first: bool) -> Outcome:
    groups = reading.groups.ordered(known.patterns)
    new = _new(reading, known)
    failed = not first and any(_bad(group) for group in new)
    code = Exit.FAILED if failed else Exit.TEMPORARY if reading.unread else Exit.DONE
    data: dict[str, object] = {
        "namespace": settings.namespace,
        "since_seconds": since_seconds,
        "compared_with": None if known.at is None else known.at.isoformat(timespec="seconds"),
        "first": first,
        "new": len(new),
        "patterns": [_plain(group, group.key not in known.patterns) for group in groups[:_SHOWN]],
        "patterns_found": len(groups),
        "events_beyond_the_limit": reading.groups.left_over,
        "logs": reading.logs,
        "lines": reading.lines,
        "bytes": reading.bytes,
        "unread": reading.unread,
    }

    def show(screen: Screen) -> None:
        _show(screen, reading, groups, len(new), since_seconds)
        if first:
            screen.line("the first review: later ones are compared with it")

    return Outcome(data, show, code)


def _new(reading: _Reading, known: Memory) -> list[Group]:
    return [group for group in reading.groups.ordered(known.patterns) if group.key not in known.patterns]


def _bad(group: Group) -> bool:
    return group.level in (Level.CRITICAL, Level.ERROR)


def _plain(group: Group, new: bool) -> dict[str, object]:
    return {
        "new": new,
        "level": str(group.level),
        "service": group.service,
        "count": group.count,
        "pattern": group.pattern,
        "example": group.example,
        "first": group.first,
        "last": group.last,
        "pods": sorted(group.pods),
    }


def _told(settings: OpsSettings, reading: _Reading, known: Memory, outcome: Outcome, *, first: bool) -> Outcome:
    bad = [group for group in _new(reading, known) if _bad(group)]
    lines = [f"{group.level} {group.service} ({group.count}x): {group.example}" for group in bad[:_TOLD]]
    if len(bad) > _TOLD:
        lines.append(f"and {len(bad) - _TOLD} more; see: ops logs")
    kind = "" if first else "new "
    told = f"{len(bad)} {kind}{'errors' if len(bad) > 1 else 'error'}"
    subject = f"[{settings.namespace}] logs: {'first review, ' if first else ''}{told}"
    return reporting.sent(settings, Message(subject, "\n".join(lines)), outcome)


def _kept(documents: Documents, reading: _Reading, outcome: Outcome) -> Outcome:
    """Remember what was seen, unless nobody has heard of it: then the next review must find it new again."""
    if reporting.unheard(outcome):
        return outcome
    now = datetime.now(UTC)

    def edit(text: str | None) -> str:
        found = memory.parse(text, documents.where(memory.NAME))
        return memory.updated(found, reading.groups.ordered(()), now).model_dump_json()

    return reporting.kept(documents, memory.NAME, edit, outcome)


def _show(screen: Screen, reading: _Reading, groups: Sequence[Group], new: int, since_seconds: int) -> None:
    for number, group in enumerate(groups[:_SHOWN]):
        mark = ("new  ", "bold red") if number < new else "     "
        screen.line(mark, f"{group.level:9}{group.service} {group.count}x  {group.pattern}")
        if number < new and group.example != group.pattern:
            screen.line((f"     {group.example}", "dim"))
    if len(groups) > _SHOWN:
        screen.line(f"and {len(groups) - _SHOWN} more patterns")
    for line in reading.unread:
        screen.line((f"not read: {line}", "yellow"))
    screen.line()
    screen.line(
        f"{len(groups)} patterns, {new} of them new, in {reading.lines:,} lines ({size(reading.bytes)}) of "
        f"{reading.logs} logs of the last {duration(since_seconds)}",
    )
