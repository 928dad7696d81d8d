"""``ops incident close``, and the RCA that follows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runbook.units import duration
from scripts import log, redact, reporting
from scripts.clients.documents import change
from scripts.clients.s3 import ChangedError
from scripts.exits import CheckFailedError, Exit, OpsError, UsageError
from scripts.incident import rca, ticket
from scripts.incident.desk import Desk
from scripts.incident.ticket import State, Ticket
from scripts.notify import Message
from scripts.output import Outcome, one_line


def run(desk: Desk, identifier: str, text: str) -> Outcome:
    """Close an incident and put the skeleton of its RCA beside the ticket."""

    def edit(old: Ticket) -> Ticket | None:
        entry = desk.entry(one_line(text) or "closed")
        return old.having(entry, status=State.CLOSED, closed=entry.at) if old.is_open else None

    found, changed = desk.change(identifier, edit)
    outcome = desk.outcome(found, "closed" if changed else "closed already", changed=changed)
    if changed:
        outcome = desk.told(_message(found), outcome)
    return outcome if found.rca_due is None else _prepared(desk, found, outcome)


def send_rca(desk: Desk, identifier: str, file: Path) -> Outcome:
    """Keep the written RCA of a closed incident and send it; it counts as sent once somebody has got it.

    Raises:
        UsageError: the file cannot be read, or the incident is open.
        CheckFailedError: parts of it are still to be written.
    """
    text = _written(file)

    def edit(old: Ticket) -> Ticket | None:
        if old.is_open:
            raise UsageError(f"incident {old.id} is {old.status}: close it before its RCA is sent")
        entry = desk.entry("RCA sent")
        return None if old.rca_sent else old.having(entry, rca_sent=entry.at)

    found, changed = replace(desk, dry_run=True).change(identifier, edit)
    outcome = desk.outcome(found, "RCA sent" if changed else "RCA sent already", changed=changed)
    if not changed or desk.dry_run:
        return outcome
    change(desk.shelf.store, desk.shelf.name(found.id, ticket.RCA), lambda _: text)
    outcome = desk.told(Message(f"RCA of {found.severity} {found.title}", text), outcome)
    if reporting.unheard(outcome):
        return replace(outcome, data={**outcome.data, "changed": False})
    desk.change(identifier, edit)
    return outcome


def _prepared(desk: Desk, found: Ticket, outcome: Outcome) -> Outcome:
    """Put the skeleton of the RCA there; an incident is closed whether or not that works."""
    name = desk.shelf.name(found.id, ticket.RCA)
    where = desk.shelf.store.where(name)
    outcome = replace(outcome, data={**outcome.data, "rca": where, "rca_due": found.rca_due})
    if desk.dry_run:
        return outcome
    # Also for an incident that is closed already: the run that closed it may have been killed before this.
    try:
        desk.shelf.store.write(name, rca.skeleton(found), None)
    except ChangedError:
        log.info("the RCA is there already", rca=where)
    except OpsError as error:
        log.warning("the RCA has no skeleton yet; run the same again", rca=where, reason=str(error))
        return replace(outcome, data={**outcome.data, "rca_failed": str(error)}, code=Exit.TEMPORARY)
    return outcome


def _written(file: Path) -> str:
    try:
        text = redact.clean(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the RCA {file}: {error}") from None
    if missing := rca.unwritten(text):
        raise CheckFailedError(f"{missing} parts of {file} are still unwritten; look for {rca.UNWRITTEN!r}")
    if not text.strip():
        raise CheckFailedError(f"the RCA {file} is empty")
    return text


def _message(found: Ticket) -> Message:
    took = duration((found.updated - found.opened).total_seconds())
    due = f"\nRCA due {found.rca_due:%Y-%m-%d %H:%M} UTC" if found.rca_due else ""
    return Message(f"{found.severity} {found.title}: closed after {took}", f"{found.timeline[-1].text}{due}")
