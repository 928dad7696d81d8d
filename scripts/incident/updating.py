"""``ops incident update``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from runbook import severities, thresholds
from scripts import redact
from scripts.exits import UsageError
from scripts.incident.desk import Desk
from scripts.incident.ticket import Entry, State, Ticket
from scripts.notify import Message
from scripts.output import Outcome, one_line


@dataclass(frozen=True, slots=True)
class Changes:
    """What an update changes besides the timeline; None leaves it."""

    text: str | None = None
    severity: str | None = None
    commander: str | None = None
    status: State | None = None

    def named(self) -> dict[str, str]:
        """The facts to change, by their keys in the ticket."""
        commander = None if self.commander is None else redact.clean(self.commander)
        pairs = (("severity", self.severity), ("commander", commander), ("status", self.status))
        return {key: value for key, value in pairs if value is not None}


def run(desk: Desk, identifier: str, changes: Changes) -> Outcome:
    """Add to an incident's timeline, and change what ``changes`` names.

    Raises:
        UsageError: there is no such incident or severity, or nothing is said.
    """
    said = redact.clean(_said(changes))
    if not said:
        raise UsageError("say what is new: a text, --severity, --commander or --status")
    if changes.severity is not None and changes.severity not in severities.BY_NAME:
        raise UsageError(f"severity {changes.severity!r} is none of {', '.join(severities.BY_NAME)}")
    if changes.status is State.CLOSED:
        raise UsageError(f"an incident is closed by: ops incident close {identifier}")

    def edit(old: Ticket) -> Ticket | None:
        if changes.status is not None and not old.is_open:
            raise UsageError(f"incident {old.id} is closed; open a new one")
        entry = desk.entry(said)
        different = {key: value for key, value in changes.named().items() if value != getattr(old, key)}
        return old.having(entry, **different) if different or not _repeated(old, entry) else None

    found, changed = desk.change(identifier, edit)
    outcome = desk.outcome(found, "updated" if changed else "says so already", changed=changed)
    message = Message(f"{found.severity} {found.title}: {found.status}", f"{desk.by}: {said}\n{found.id}")
    return desk.told(message, outcome) if changed else outcome


def _said(changes: Changes) -> str:
    text = one_line(changes.text or "")
    return "; ".join(filter(None, (text, *(f"{name}: {value}" for name, value in changes.named().items()))))


def _repeated(old: Ticket, entry: Entry) -> bool:
    """Whether the last entry says just that: a command that was run again, not news."""
    last = old.timeline[-1]
    recent = entry.at - last.at < timedelta(seconds=thresholds.INCIDENT_UPDATE.value)
    return recent and (last.by, last.text) == (entry.by, entry.text)
