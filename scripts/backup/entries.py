"""Entries of an archive's list: what each one is, and whether a superuser's session may restore it.

pg_dump writes expressions of owners into most statements, and PostgreSQL evaluates some of them: the check of a domain
runs while a default such as ``'{1}'::positive[]`` is read, in a view, in the argument of a function or in an aggregate.
The kinds that are listed here as a superuser's need one and evaluate nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

# The number of the entry, the catalogue that its object is in, and the object: its kind, schema, name and owner.
_LINE: Final = re.compile(r"\d+; (\d+) \d+ (.*)")
_NONE: Final = 0
_TYPES: Final = 1247
_FUNCTIONS: Final = 1255
_SCHEMAS: Final = 2615
_DEFAULT_RIGHTS: Final = 826
_EVENT_TRIGGERS: Final = 3466
_WRAPPERS: Final = 2328
_REFRESH: Final = "MATERIALIZED VIEW DATA "
_SUPERUSERS: Final = frozenset({
    _SCHEMAS,
    _DEFAULT_RIGHTS,
    _EVENT_TRIGGERS,
    1417,  # foreign servers
    _WRAPPERS,
    2601,  # access methods
    2605,  # casts
    2612,  # languages
    2613,  # large objects, without their content
    2616,  # operator classes
    2617,  # operators
    2753,  # operator families
    3079,  # extensions
    3576,  # transforms
    3601,  # text search parsers
    3764,  # text search templates
    6104,  # publications
    6106,  # tables of publications, whose filters have nothing but built-in types and functions
    6237,  # schemas of publications
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list: pg_restore reads no more of it than the number at its beginning."""

    line: str
    catalogue: int
    what: str

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """The entry of a line; None where it is a remark of pg_restore's own."""
        match = _LINE.match(line)
        return None if match is None else cls(line, int(match[1]), match[2])

    @property
    def is_schema(self) -> bool:
        return self.catalogue == _SCHEMAS

    @property
    def is_right(self) -> bool:
        return self._is("ACL ")

    @property
    def is_right_of_schema(self) -> bool:
        return self._is("ACL - SCHEMA ")

    @property
    def is_refresh(self) -> bool:
        return self._is(_REFRESH)

    def label(self, roles: Mapping[str, str | None]) -> str:
        """Schema and name of the view whose refresh it is; ``roles`` has roles by their ``listed`` names."""
        owner = self.owner(roles)
        name = self.what.removeprefix(_REFRESH)
        return (name if owner is None else name.removesuffix(f" {owner}")).replace(" ", ".", 1)

    @property
    def is_event_trigger(self) -> bool:
        return self.catalogue == _EVENT_TRIGGERS

    @property
    def is_said_of_another(self) -> bool:
        """Whether it is a right, a comment or a label: its object has an entry of its own."""
        return self.catalogue == _DEFAULT_RIGHTS or self._is("ACL ", "COMMENT ", "SECURITY LABEL ")

    @property
    def is_said_of_event_trigger(self) -> bool:
        return self._is("COMMENT - EVENT TRIGGER ", "SECURITY LABEL - EVENT TRIGGER ")

    @property
    def must_be_superusers(self) -> bool:
        """Whether PostgreSQL lets no other role own it."""
        return self.catalogue in {_EVENT_TRIGGERS, _WRAPPERS}

    def owner(self, roles: Mapping[str, str | None]) -> str | None:
        """Its owner, which stands last; None where it has none, or where several of ``roles`` may be meant.

        ``roles`` has roles by their ``listed`` names.
        """
        found = self._readings(roles)
        return roles[found[0]] if len(found) == 1 else None

    def owners(self, roles: Mapping[str, str | None]) -> list[str]:
        """Its owner, and each other role whose name its last words may be."""
        return [role for name in self._readings(roles) if (role := roles[name]) is not None]

    def _readings(self, roles: Mapping[str, str | None]) -> list[str]:
        words = self.what.split(" ")
        return [name for at in range(1, len(words)) if (name := " ".join(words[at:])) in roles]

    def needs_superuser(self, owner: str | None, superusers: Collection[str]) -> bool:
        """Whether a superuser's session restores it: a function only where a superuser has written it."""
        if self.catalogue == _FUNCTIONS:
            return owner in superusers
        if self.catalogue == _TYPES:
            return not self.what.startswith("DOMAIN ")
        return self.catalogue in _SUPERUSERS or self.is_said_of_another or self._is("USER MAPPING ", "SHELL TYPE ")

    def _is(self, *kinds: str) -> bool:
        """Whether its kind is one of those that are in no catalogue."""
        return self.catalogue == _NONE and self.what.startswith(kinds)


def listed(roles: Iterable[str]) -> dict[str, str | None]:
    """Roles by their names as the list has them, on one line; None for those that it does not tell apart."""
    found: dict[str, str | None] = {}
    for role in roles:
        name = re.sub(r"[\r\n]", " ", role)
        found[name] = None if name in found else role
    return found
