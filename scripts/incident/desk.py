"""Who does what to incidents: the frame of opening, updating and closing one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from runbook.ops_settings import OpsSettings
from scripts import redact, reporting
from scripts.incident.shelf import Shelf
from scripts.incident.ticket import Entry, Ticket
from scripts.notify import Message
from scripts.output import Outcome, say


@dataclass(frozen=True, slots=True)
class Desk:
    """Who does something where, and whether others are told."""

    settings: OpsSettings
    shelf: Shelf
    by: str
    tell: bool
    dry_run: bool

    def entry(self, text: str) -> Entry:
        """A line of a timeline, said now."""
        return Entry(at=now(), by=self.by, text=redact.clean(text))

    def change(self, identifier: str, edit: Callable[[Ticket], Ticket | None]) -> tuple[Ticket, bool]:
        """The ticket after ``edit``, and whether that changed it; a dry run keeps nothing."""
        if not self.dry_run:
            return self.shelf.change(identifier, edit)
        found, _ = self.shelf.one(identifier)
        new = edit(found)
        return (found, False) if new is None else (new, True)

    def outcome(self, found: Ticket, what: str, *, changed: bool) -> Outcome:
        """What was done to a ticket."""
        would = "would be " if self.dry_run and changed else ""
        data: dict[str, object] = {
            "id": found.id,
            "severity": found.severity,
            "title": found.title,
            "status": str(found.status),
            "changed": changed and not self.dry_run,
            "dry_run": self.dry_run,
            "where": self.shelf.store.where(self.shelf.name(found.id)),
        }

        return Outcome(data, say(f"{found.id}: {would}{what}"))

    def told(self, message: Message, outcome: Outcome) -> Outcome:
        """``outcome`` after others were told, where they are to be."""
        return reporting.sent(self.settings, message, outcome) if self.tell and not self.dry_run else outcome


def now() -> datetime:
    """This moment, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
