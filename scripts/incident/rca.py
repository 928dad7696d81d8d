"""The root cause analysis: its skeleton, and whether somebody has written it."""

from __future__ import annotations

from typing import Final

from runbook import severities
from runbook.units import duration
from scripts.incident.ticket import Ticket

UNWRITTEN: Final = "(to be written"

_TEMPLATE: Final = """# RCA: {title}

| | |
| --- | --- |
| Incident | {id} |
| Severity | {severity}: {description} |
| Commander | {commander} |
| Opened | {opened} |
| Closed | {closed} |
| Took | {took} |
| Due | {due} |

## Summary

(to be written: what happened, in three sentences that a customer understands)

## Impact

(to be written: users affected, data lost, revenue lost)

## Timeline

{timeline}

## Root cause

(to be written: ask why until the answer is something that can be changed)

## Detection

(to be written: what told us, how long that took, and what would have told us earlier)

## What went well, what did not

(to be written)

## Actions

| what | who | until |
| --- | --- | --- |
| (to be written) | | |
"""


def skeleton(ticket: Ticket) -> str:
    """The RCA of a closed incident with everything that the ticket knows; what people must add is marked."""
    closed, due = ticket.closed or ticket.updated, ticket.rca_due
    lines = [f"- {_time(entry.at)} {entry.by}: {entry.text}" for entry in ticket.timeline]
    return _TEMPLATE.format(
        id=ticket.id,
        title=ticket.title,
        severity=ticket.severity,
        description=severities.BY_NAME[ticket.severity].description,
        commander=ticket.commander,
        opened=_time(ticket.opened),
        closed=_time(closed),
        took=duration((closed - ticket.opened).total_seconds()),
        due=_time(due) if due else "not asked for",
        timeline="\n".join(lines),
    )


def unwritten(text: str) -> int:
    """How many parts of the skeleton nobody has written yet."""
    return text.count(UNWRITTEN)


def _time(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
