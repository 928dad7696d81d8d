"""``ops incident review``: the agenda of Monday's meeting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from runbook import severities
from runbook.units import duration
from scripts.exits import Exit
from scripts.incident.desk import Desk, now
from scripts.incident.shelf import Found
from scripts.incident.ticket import Ticket
from scripts.notify import Message
from scripts.output import Outcome

_WEEK: Final = timedelta(days=7)


def run(desk: Desk) -> Outcome:
    """Print the agenda and send it; the code is 1 when a ticket cannot be read."""
    moment, found = now(), desk.shelf.all()
    chosen = choose([entry.ticket for entry in found if entry.ticket is not None], moment)
    unreadable = [entry for entry in found if entry.ticket is None]
    text = compose(chosen, unreadable, moment, ZoneInfo(desk.settings.time_zone))

    data: dict[str, object] = {
        "incidents": [
            {"id": each.id, "severity": each.severity, "status": str(each.status), "rca": _rca(each, moment)}
            for each in chosen
        ],
        "unreadable": [entry.id for entry in unreadable],
        "agenda": text,
    }
    outcome = Outcome(data, lambda screen: screen.document(text), Exit.FAILED if unreadable else Exit.DONE)
    return desk.told(Message(f"[{desk.settings.namespace}] incident review of {moment:%Y-%m-%d}", text), outcome)


def choose(tickets: Iterable[Ticket], moment: datetime) -> list[Ticket]:
    """What there is to talk about: opened or closed in the past week, still open, or without its RCA.

    The severest first, then the oldest.
    """
    recent = moment - _WEEK
    wanted = [
        each
        for each in tickets
        if each.is_open or each.rca_due or each.opened >= recent or (each.closed is not None and each.closed >= recent)
    ]
    return sorted(wanted, key=lambda each: (each.severity, each.opened))


def compose(tickets: Sequence[Ticket], unreadable: Sequence[Found], moment: datetime, zone: ZoneInfo) -> str:
    """The agenda as Markdown."""
    counts = {name: sum(each.severity == name for each in tickets) for name in severities.BY_NAME}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"
    lines = [f"# Incident review, {moment.astimezone(zone):%A %d %B %Y}", "", f"Incidents: {told}.", ""]
    for each in tickets:
        lines += [f"## {each.severity} {each.title}", "", *_facts(each, moment, zone), ""]
    for entry in unreadable:
        lines += [f"## Unreadable: {entry.id}", "", entry.problem, ""]
    return "\n".join(lines)


def _facts(each: Ticket, moment: datetime, zone: ZoneInfo) -> list[str]:
    end = each.closed or moment
    ending = "took" if each.closed else "open for"
    return [
        f"- {each.id}, commander {each.commander}",
        f"- opened {each.opened.astimezone(zone):%Y-%m-%d %H:%M %Z}, {ending} "
        f"{duration((end - each.opened).total_seconds())}, {len(each.timeline)} entries",
        f"- status: {each.status}; last: {each.timeline[-1].text}",
        f"- RCA: {_rca(each, moment)}",
    ]


def _rca(each: Ticket, moment: datetime) -> str:
    if each.rca_sent is not None:
        return "sent"
    if each.is_open:
        return "after it is closed"
    if each.rca_due is None:
        return "not asked for"
    return "overdue" if moment > each.rca_due else "being written"
