"""``ops incident list`` and ``ops incident show``."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from runbook.units import duration
from scripts.exits import CheckFailedError, Exit
from scripts.incident import ticket
from scripts.incident.desk import Desk, now
from scripts.incident.shelf import Found
from scripts.output import Outcome, Screen


def list_all(desk: Desk, *, closed: bool) -> Outcome:
    """The open incidents, or with ``closed`` all; the code is 1 when one cannot be read."""
    every = desk.shelf.all()
    found = [entry for entry in every if entry.ticket is None or entry.ticket.is_open or closed]

    data = {"where": desk.shelf.store.where(), "incidents": [_plain(entry) for entry in found]}
    unreadable = any(entry.ticket is None for entry in found)
    return Outcome(data, lambda screen: _list(screen, found), Exit.FAILED if unreadable else Exit.DONE)


def show_one(desk: Desk, identifier: str, *, rca: bool) -> Outcome:
    """A ticket with its timeline, or with ``rca`` its RCA, as it is stored."""
    found, body = desk.shelf.one(identifier)
    if rca:
        document = desk.shelf.store.read(desk.shelf.name(identifier, ticket.RCA))
        if document is None:
            raise CheckFailedError(f"incident {identifier} has no RCA yet; ops incident close writes its skeleton")
        return _text({"id": identifier, "rca": document.text}, document.text)
    zone = ZoneInfo(desk.settings.time_zone)
    lines = [
        f"{found.severity} {found.title}",
        f"{found.id}: {found.status}, commander {found.commander}",
        "",
        *(f"{entry.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}  {entry.by}: {entry.text}" for entry in found.timeline),
        body.rstrip(),
    ]
    facts: dict[str, Any] = found.model_dump(mode="json")
    return _text({**facts, "body": body}, "\n".join(lines) + "\n")


def _text(data: dict[str, Any], text: str) -> Outcome:
    return Outcome(data, lambda screen: screen.document(text))


def _plain(entry: Found) -> dict[str, object]:
    found = entry.ticket
    if found is None:
        return {"id": entry.id, "readable": False, "problem": entry.problem}
    return {
        "id": found.id,
        "readable": True,
        "severity": found.severity,
        "title": found.title,
        "status": str(found.status),
        "commander": found.commander,
        "opened": found.opened.isoformat(),
        "updated": found.updated.isoformat(),
        "rca_due": None if found.rca_due is None else found.rca_due.isoformat(),
    }


def _list(screen: Screen, found: list[Found]) -> None:
    """Each incident in lines of its own: an id and a title beside one another are wider than a terminal."""
    if not found:
        screen.line("no incident is open")
    for entry in found:
        each = entry.ticket
        if each is None:
            screen.line((f"{entry.id}: unreadable", "red"))
            screen.line(f"   {entry.problem}")
            continue
        age, silence = (duration((now() - moment).total_seconds()) for moment in (each.opened, each.updated))
        screen.line((f"{each.severity} {each.title}", "bold"))
        screen.line(f"   {each.id}")
        screen.line(f"   {each.status}, commander {each.commander}, opened {age} ago, last update {silence} ago")
