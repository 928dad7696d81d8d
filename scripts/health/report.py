"""Mail and chat of the health check: first what has changed since the last one, then everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from runbook.bucket import HEALTH
from runbook.ops_settings import OpsSettings
from scripts import log, reporting
from scripts.clients.documents import Documents
from scripts.exits import OpsError
from scripts.health import history, page, trend
from scripts.health.history import Change, Last
from scripts.health.model import Result, Status, worst
from scripts.notify import Message
from scripts.output import Outcome


def send(settings: OpsSettings, results: Sequence[Result], outcome: Outcome, *, timeout: float) -> Outcome:
    """``outcome`` after people were told; what they heard is kept for the next comparison.

    A bucket that does not answer costs the comparison and not the report.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        documents = Documents(settings, HEALTH, seconds=timeout)
        found = documents.read(history.NAME)
    except OpsError as error:
        log.warning("no comparison with the last result", reason=str(error))
        told = reporting.sent(settings, compose(settings, results, None, now, f"not known: {error}"), outcome)
        return replace(told, data={**told.data, "compared_with": None})
    last = history.parse(None if found is None else found.text, documents.where(history.NAME))
    differences = history.changes(last, results)
    told = reporting.sent(settings, compose(settings, results, last, now), outcome)
    data: dict[str, object] = {
        "compared_with": None if last is None else last.at.isoformat(),
        "changes": [{"name": each.name, "before": each.before, "now": each.now} for each in differences],
    }
    told = replace(told, data={**told.data, **data})
    return told if reporting.unheard(told) else _kept(documents, results, now, told)


def compose(
    settings: OpsSettings, results: Sequence[Result], last: Last | None, now: datetime, problem: str = ""
) -> Message:
    """The report as people get it."""
    differences = history.changes(last, results)
    zone = ZoneInfo(settings.time_zone)
    kept = history.updated(last, results, now)
    news, ordered = _news(last, differences, zone, problem), _ordered(results)
    lines = [*news, "", "All checks:", *(_line(result, kept, now, zone) for result in ordered)]
    subject = f"[{settings.namespace}] health: {worst(results)}{_counted(differences)}"
    return Message(subject, "\n".join(lines), page.compose(subject, news, ordered, dict(kept.checks)))


def _news(last: Last | None, differences: Sequence[Change], zone: ZoneInfo, problem: str) -> list[str]:
    if problem:
        return [f"Changed since the last report: {problem}"]
    if last is None:
        return ["This is the first report."]
    since = f"{last.at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    if not differences:
        return [f"Nothing has changed since {since}."]
    return [f"Changed since {since}:", *map(str, differences)]


def _ordered(results: Sequence[Result]) -> list[Result]:
    order = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.OK)
    return sorted(results, key=lambda result: order.index(result.finding.status))


def _line(result: Result, kept: Last, now: datetime, zone: ZoneInfo) -> str:
    finding, since = result.finding, kept.checks[result.finding.name].since
    limit = f" (must be {finding.threshold})" if finding.threshold else ""
    lasts = (
        f" [since {since.astimezone(zone):%Y-%m-%d %H:%M}]" if finding.status is not Status.OK and since < now else ""
    )
    course = trend.text(kept.checks[finding.name].points)
    told = f"{finding.status:8}{finding.name}: {finding.value}{limit} {finding.detail}".rstrip() + lasts
    return f"{told} {course}".rstrip()


def _counted(differences: Sequence[Change]) -> str:
    counts = [(word, sum(each.direction == word for each in differences)) for word in ("worse", "better")]
    told = ", ".join(f"{count} {word}" for word, count in counts if count)
    return f" ({told})" if told else ""


def _kept(documents: Documents, results: Sequence[Result], now: datetime, outcome: Outcome) -> Outcome:
    def edit(text: str | None) -> str | None:
        last = history.parse(text, documents.where(history.NAME))
        # A later run that was faster knows better.
        return None if last is not None and last.at > now else history.updated(last, results, now).model_dump_json()

    return reporting.kept(documents, history.NAME, edit, outcome)
