"""``ops incident open``."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from runbook import thresholds
from runbook.units import duration
from scripts import log
from scripts.clients.s3 import ChangedError
from scripts.diagnosis import bundle
from scripts.exits import Exit, OpsError
from scripts.incident import ticket
from scripts.incident.desk import Desk, now
from scripts.incident.ticket import Ticket
from scripts.notify import Message
from scripts.output import Outcome

_DIAGNOSE_SECONDS: Final = 60.0
_BODY: Final = "\n# {title}\n\nNotes of any kind belong here; the timeline above is written by `ops incident update`.\n"


def run(desk: Desk, severity: str, title: str, commander: str | None, *, diagnose: bool) -> Outcome:
    """Open an incident; one that is open under the same title already is that incident."""
    new = ticket.opened(severity, title, commander or desk.by, desk.by, now())
    found, created = _kept(desk, new)
    outcome = desk.outcome(found, "opened" if created else "open already", changed=created)
    if created:
        outcome = desk.told(_message(new), outcome)
    return _diagnosed(desk, found, outcome) if diagnose and not desk.dry_run else outcome


def _kept(desk: Desk, new: Ticket) -> tuple[Ticket, bool]:
    for found in desk.shelf.all():
        if found.ticket is not None and found.ticket.is_open and found.ticket.title == new.title:
            return found.ticket, False
    if desk.dry_run:
        return new, True
    try:
        desk.shelf.create(new, _BODY.format(title=new.title))
    except ChangedError:
        # Somebody else has opened it in this minute.
        return desk.shelf.one(new.id)[0], False
    return new, True


def _message(new: Ticket) -> Message:
    lines = [
        f"Commander: {new.commander}",
        f"Answers: {new.level.notified}",
        f"Next update within {duration(thresholds.INCIDENT_UPDATE.value)}: ops incident update {new.id} TEXT",
    ]
    return Message(f"\N{LARGE RED CIRCLE} {new.severity} INCIDENT: {new.title}", "\n".join(lines))


def _diagnosed(desk: Desk, found: Ticket, outcome: Outcome) -> Outcome:
    """Attach a bundle; an incident is open whether or not that works."""
    entry = desk.entry("")
    name = f"diagnosis-{entry.at:%Y%m%dT%H%M%SZ}.tar.gz"
    try:
        with tempfile.TemporaryDirectory(prefix="ops-") as folder:
            path = Path(folder) / name
            failed = bundle.write(desk.settings, path, _DIAGNOSE_SECONDS).failed
            desk.shelf.store.attach(desk.shelf.name(found.id, name), path)
    except (OpsError, OSError) as error:
        log.warning("no diagnosis attached", reason=str(error))
        return replace(outcome, data={**outcome.data, "diagnosis_failed": str(error)}, code=Exit.TEMPORARY)
    text = f"diagnosis attached: {name}" + (f", without {', '.join(failed)}" if failed else "")
    desk.shelf.change(found.id, lambda old: old.having(desk.entry(text)))
    where = desk.shelf.store.where(desk.shelf.name(found.id, name))
    return replace(outcome, data={**outcome.data, "diagnosis": where, "diagnosis_without": list(failed)})
