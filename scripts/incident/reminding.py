"""``ops incident remind``: what is due on incidents, and who is told next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from runbook import severities, thresholds
from runbook.units import duration
from scripts.exits import Exit
from scripts.incident.desk import Desk, now
from scripts.incident.shelf import Found
from scripts.incident.ticket import State, Ticket
from scripts.notify import Message
from scripts.output import Outcome, say


@dataclass(frozen=True, slots=True)
class Reminder:
    """Something that somebody must do."""

    id: str
    what: str


def run(desk: Desk) -> Outcome:
    """Tell people what is due; the code is 1 when a ticket cannot be read, or when there is nobody to tell."""
    found = desk.shelf.all()
    due = list(reminders(found, now()))
    unreadable = [ticket.id for ticket in found if ticket.ticket is None]
    data = {"incidents": len(found), "due": [{"id": entry.id, "what": entry.what} for entry in due]}

    lines = [f"{entry.id}: {entry.what}" for entry in due]
    outcome = Outcome(data, say(*(lines or ["nothing is due"])), Exit.FAILED if unreadable else Exit.DONE)
    if not due or not desk.tell or desk.dry_run:
        return outcome
    message = Message(f"[{desk.settings.namespace}] incidents: {len(due)} due", "\n".join(lines))
    told = desk.told(message, outcome)
    return told if "notified" in told.data else Outcome(told.data, told.show, Exit.FAILED)


def reminders(found: Iterable[Found], moment: datetime) -> Iterator[Reminder]:
    """Everything that is due at ``moment``."""
    for entry in found:
        if entry.ticket is None:
            yield Reminder(entry.id, entry.problem)
        elif entry.ticket.is_open:
            yield from _open(entry.ticket, moment)
        else:
            yield from _closed(entry.ticket, moment)


def _open(found: Ticket, moment: datetime) -> Iterator[Reminder]:
    response = found.level.response_seconds
    # What is answered at the next planning needs no news every quarter of an hour.
    if response is None:
        return
    age = (moment - found.opened).total_seconds()
    silence = (moment - found.updated).total_seconds()
    head = f"{found.severity} {found.title}"
    if found.status is State.OPEN and age >= response:
        yield Reminder(found.id, f"{head}: not acknowledged for {duration(age)}, {_whom(found, age / response)}")
    if silence >= thresholds.INCIDENT_UPDATE.value:
        missed = silence / thresholds.INCIDENT_UPDATE.value
        yield Reminder(found.id, f"{head}: no update for {duration(silence)}, {_whom(found, missed)}")


def _closed(found: Ticket, moment: datetime) -> Iterator[Reminder]:
    due = found.rca_due
    if due is not None and moment > due:
        late = duration((moment - due).total_seconds())
        yield Reminder(found.id, f"{found.severity} {found.title}: RCA overdue by {late}, commander {found.commander}")


def _whom(found: Ticket, missed: float) -> str:
    """Who is to be told: the commander first, then one step up with each further time that was missed."""
    step = int(missed) - 2
    if step < 0 or not found.level.pages:
        return f"commander {found.commander}"
    return f"tell the {severities.ESCALATION[min(step, len(severities.ESCALATION) - 1)]}"
