"""What ``ops maintenance`` says: to people, to machines, and to those who are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runbook.ops_settings import OpsSettings
from scripts import notify
from scripts.exits import Exit, OpsError, of_several
from scripts.first_week import local_time
from scripts.maintenance import mode, page
from scripts.maintenance.mode import Done, Mode, Request, Situation
from scripts.output import Outcome, say


def status(settings: OpsSettings) -> Outcome:
    """The situation; the code is 1 when it is neither on nor off, or when its time is over."""
    found = mode.look(settings)
    return Outcome(_data(found), say(*_lines(settings, found)), _code(found))


def begin(settings: OpsSettings, request: Request, *, silent: bool) -> Outcome:
    """``ops maintenance on``."""
    return _told(settings, request, mode.begin(settings, request), "on", silent=silent)


def end(settings: OpsSettings, request: Request, *, silent: bool) -> Outcome:
    """``ops maintenance off``."""
    return _told(settings, request, mode.end(settings, request), "off", silent=silent)


def _told(settings: OpsSettings, request: Request, done: Done, word: str, *, silent: bool) -> Outcome:
    lines = [*_now(settings, done.after), *_problems(done, word), *_missed(settings, done)]
    if request.dry_run:
        lines = [f"would change: {', '.join(done.changed) or 'nothing'}", "now:", *lines]
    sent: list[notify.Delivery] = []
    if done.changed and not request.dry_run and not silent:
        subject = f"[{settings.namespace}] maintenance {word}, by {request.by}"
        sent = notify.send(settings, notify.Message(subject, "\n".join(lines)))
    data = _facts(done.after) | {
        "changed": [] if request.dry_run else done.changed,
        "would_change": done.changed if request.dry_run else [],
        "dry_run": request.dry_run,
        "problems": {name: str(problem) for name, problem in done.problems.items()},
        "missed": {name: _text(moment) for name, moment in done.missed.items()},
        "missed_unknown": done.unknown,
        "notified": notify.plain(sent),
    }
    failed = [*done.problems.values(), *([done.after] if isinstance(done.after, OpsError) else [])]
    code = Exit.DONE if request.dry_run or isinstance(done.after, OpsError) else _code(done.after)
    return Outcome(data, say(*lines), of_several(failed) if failed else code)


def _now(settings: OpsSettings, after: Situation | OpsError) -> list[str]:
    if isinstance(after, Situation):
        return _lines(settings, after)
    return [f"how it is now cannot be read: {after} (see: ops maintenance status)"]


def _facts(after: Situation | OpsError) -> dict[str, object]:
    return _data(after) if isinstance(after, Situation) else {"unread": str(after)}


def _problems(done: Done, word: str) -> list[str]:
    verb = "suspended" if word == "on" else "resumed"
    return [f"not {verb}: CronJob {name}: {problem}" for name, problem in done.problems.items()]


def _code(found: Situation) -> Exit:
    well = found.mode is not Mode.PARTLY and not found.lock.expired(datetime.now(UTC))
    return Exit.DONE if well else Exit.FAILED


def _data(found: Situation) -> dict[str, object]:
    held = found.lock
    return {
        "mode": str(found.mode),
        "declared": held.declared,
        "holder": held.holder,
        "since": None if held.since is None else _text(held.since),
        "until": None if held.until is None else _text(held.until),
        "expired": held.expired(datetime.now(UTC)),
        "reason": held.reason,
        "page": found.door.shows_page,
        "suspended": [job.name for job in found.jobs if job.suspended],
        "jobs": len(found.jobs),
        "running": found.running,
    }


def _lines(settings: OpsSettings, found: Situation) -> list[str]:
    held, waiting = found.lock, sum(job.suspended for job in found.jobs)
    lines = [f"maintenance: {found.mode}"]
    if held.holder is not None and held.until is not None:
        over = "its time was over at" if held.expired(datetime.now(UTC)) else "until"
        reason = f": {held.reason}" if held.reason else ""
        lines.append(f"lock: {held.holder}, {over} {local_time(held.until, settings.time_zone):%H:%M %Z}{reason}")
    lines.append(f"users see: {'the page' if found.door.shows_page else 'the system'}")
    lines.append(f"jobs: {waiting} of {len(found.jobs)} suspended")
    if found.running and waiting:
        lines.append(f"still running: {', '.join(found.running)}")
    if held.declared:
        lines.append("the stack asks for it: set crypto:maintenance to false and run `pulumi up` to end it")
    if found.mode is Mode.PARTLY:
        again = "an earlier run was ended on its way: run `ops maintenance on` or `off` again"
        lines.append(again if found.claimed else f"nobody asks for the page: {page.LOOK_AGAIN}")
    return lines


def _missed(settings: OpsSettings, done: Done) -> list[str]:
    return [
        f"missed and not caught up: {name} of {local_time(moment, settings.time_zone):%Y-%m-%d %H:%M %Z}"
        f" (by hand: kubectl -n {settings.namespace} create job --from=cronjob/{name} {name}-by-hand)"
        for name, moment in sorted(done.missed.items())
    ] + [f"not known whether CronJob {name} missed a run: {reason}" for name, reason in sorted(done.unknown.items())]


def _text(moment: datetime) -> Any:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
