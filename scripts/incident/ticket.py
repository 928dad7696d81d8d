"""A ticket: Markdown with YAML front matter, which holds the facts and the timeline."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from runbook import formats, severities, thresholds
from runbook.formats import Moment
from runbook.severities import Severity
from scripts import redact
from scripts.exits import CheckFailedError, UsageError

TICKET: Final = "ticket.md"
RCA: Final = "rca.md"
_FENCE: Final = "---\n"


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    CLOSED = "closed"


class Entry(BaseModel):
    """A line of the timeline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Moment
    by: str
    text: str


class Ticket(BaseModel):
    """The front matter. Keys that people add are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    severity: str
    title: str
    opened: Moment
    commander: str
    status: State = State.OPEN
    closed: Moment | None = None
    rca_sent: Moment | None = None
    timeline: tuple[Entry, ...] = Field(min_length=1)

    @field_validator("severity")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in severities.BY_NAME:
            raise ValueError(f"must be one of {', '.join(severities.BY_NAME)}")
        return name

    @property
    def level(self) -> Severity:
        return severities.BY_NAME[self.severity]

    @property
    def is_open(self) -> bool:
        return self.status is not State.CLOSED

    @property
    def updated(self) -> datetime:
        """When somebody last said something."""
        return self.timeline[-1].at

    @property
    def rca_due(self) -> datetime | None:
        """When the RCA must be sent; None while the incident is open, once it is sent, and where none is wanted.

        What nobody has to answer before the next planning is no incident that has a cause.
        """
        if self.closed is None or self.rca_sent is not None or self.level.response_seconds is None:
            return None
        return self.closed + timedelta(seconds=thresholds.INCIDENT_RCA.value)

    def having(self, entry: Entry, **changes: object) -> Self:
        """The ticket with another entry at the end of its timeline; what stands there is never changed."""
        return self.model_copy(update={**changes, "timeline": (*self.timeline, entry)})


def opened(severity: str, title: str, commander: str, by: str, now: datetime) -> Ticket:
    """A new ticket.

    Raises:
        UsageError: the severity is none, or the title is empty.
    """
    line = redact.clean(" ".join(title.split()))
    if not line:
        raise UsageError("the title is empty; say in a few words what is broken")
    if severity not in severities.BY_NAME:
        raise UsageError(f"severity {severity!r} is none of {', '.join(severities.BY_NAME)}")
    entry = Entry(at=now, by=by, text=f"opened as {severity}")
    return Ticket(
        id=new_id(line, now),
        severity=severity,
        title=line,
        opened=now,
        commander=redact.clean(commander),
        timeline=(entry,),
    )


def new_id(title: str, now: datetime) -> str:
    """An id that sorts by time, like ``20260301-0815-api-gateway-down-3fa9``; a title has one a minute."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(title.encode()).hexdigest()[:4]
    return "-".join(filter(None, (f"{now.astimezone(UTC):%Y%m%d-%H%M}", slug, digest)))


def render(ticket: Ticket, body: str) -> str:
    """The document: front matter and below it ``body``, which is people's own."""
    facts = {key: value for key, value in ticket.model_dump(mode="json").items() if value is not None}
    # PyYAML writes U+0085 as it is and reads it back as a line's end, unless it escapes everything.
    readable = "\\x85" not in repr(facts)
    front = yaml.safe_dump(facts, sort_keys=False, allow_unicode=readable, width=1000)
    return f"{_FENCE}{front}{_FENCE}{body}"


def parse(text: str, where: str) -> tuple[Ticket, str]:
    """The ticket of a document, and its body.

    Raises:
        CheckFailedError: it is none; the line says what to mend.
    """
    if not text.startswith(_FENCE) or (end := text.find(f"\n{_FENCE}", len(_FENCE))) < 0:
        raise CheckFailedError(f"{where} is no ticket: it must begin with front matter between two lines of ---")
    try:
        facts = yaml.safe_load(text[len(_FENCE) : end + 1])
        return Ticket.model_validate(facts), text[end + 1 + len(_FENCE) :]
    except yaml.YAMLError as error:
        raise CheckFailedError(f"{where} has unreadable front matter: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "front matter"
        raise CheckFailedError(f"{where}: {key}: {formats.told(first)}") from None
