"""All tickets of a store."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

from runbook.bucket import INCIDENTS
from runbook.ops_settings import OpsSettings
from scripts.clients.directory import Directory
from scripts.clients.documents import Documents, Store, change
from scripts.exits import CheckFailedError, UsageError
from scripts.incident import ticket
from scripts.incident.ticket import Ticket

_READERS: Final = 8


@dataclass(frozen=True, slots=True)
class Found:
    """A ticket, or why it cannot be read."""

    id: str
    ticket: Ticket | None
    problem: str = ""

    @property
    def opened(self) -> str:
        """When it was opened, to the second; of one that cannot be read to the minute of its id."""
        return self.id[:13] if self.ticket is None else f"{self.ticket.opened.astimezone(UTC):%Y%m%d-%H%M%S}"


class Shelf:
    """The tickets of a directory or of the bucket. Every method raises ``OpsError``."""

    def __init__(self, settings: OpsSettings, directory: Path | None) -> None:
        self.store: Store = Documents(settings, INCIDENTS) if directory is None else Directory(directory)

    def all(self) -> list[Found]:
        """Every ticket, newest first."""
        ending = f"/{ticket.TICKET}"
        ids = [name.removesuffix(ending) for name in self.store.names() if name.endswith(ending)]
        with ThreadPoolExecutor(_READERS) as pool:
            found = list(pool.map(self._found, ids))
        return sorted(found, key=lambda entry: (entry.opened, entry.id), reverse=True)

    def one(self, identifier: str) -> tuple[Ticket, str]:
        """The ticket of that id, and its body.

        Raises:
            UsageError: there is none.
            CheckFailedError: it cannot be read.
        """
        found = self.store.read(self.name(identifier))
        if found is None:
            raise self._unknown(identifier)
        return ticket.parse(found.text, self.store.where(self.name(identifier)))

    def create(self, new: Ticket, body: str) -> None:
        """Put a new ticket there.

        Raises:
            ChangedError: there is one of that id.
        """
        self.store.write(self.name(new.id), ticket.render(new, body), None)

    def change(self, identifier: str, edit: Callable[[Ticket], Ticket | None]) -> tuple[Ticket, bool]:
        """Change a ticket by ``edit``, which returns None to leave it; the ticket and whether it was changed.

        Raises:
            UsageError: there is none.
        """
        result: list[tuple[Ticket, bool]] = []

        def document(text: str | None) -> str | None:
            if text is None:
                raise self._unknown(identifier)
            old, body = ticket.parse(text, self.store.where(self.name(identifier)))
            new = edit(old)
            result[:] = [(old, False) if new is None else (new, True)]
            return None if new is None else ticket.render(new, body)

        change(self.store, self.name(identifier), document)
        return result[0]

    @staticmethod
    def name(identifier: str, file: str = ticket.TICKET) -> str:
        """The name of a ticket's file."""
        if not identifier or "/" in identifier or identifier.startswith("."):
            raise UsageError(f"{identifier!r} is no incident's id (see: ops incident list)")
        return f"{identifier}/{file}"

    def _found(self, identifier: str) -> Found:
        try:
            return Found(identifier, self.one(identifier)[0])
        except (CheckFailedError, UsageError) as error:
            return Found(identifier, None, problem=str(error))

    def _unknown(self, identifier: str) -> UsageError:
        return UsageError(f"there is no incident {identifier} in {self.store.where()} (see: ops incident list --all)")
