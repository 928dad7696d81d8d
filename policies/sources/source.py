"""What every source gives: resources as the rules see them, and where a finding lies in a file."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from policies.model import Finding, Resource
from policies.plain import Plain, to_plain

# Where no file says which line declared a resource: the program as a whole did.
PROGRAM: Final = "__main__.py"
# What standard input is called.
STDIN: Final = "STDIN"


class SourceError(Exception):
    """What was to be judged cannot be read: one line that names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Location:
    """A line of a file; lines count from 1, and 1 also stands for a file as a whole."""

    file: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or an object in it, that is not judged, and why."""

    file: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"


class Source(ABC):
    """Resources, each once, in the order of the source, and what was met on the way and is not judged.

    What is ``passed_over`` is no business of the rules; what is ``broken`` could not be read, and may be anything.
    """

    resources: list[Resource]
    passed_over: Sequence[Skipped]
    broken: Sequence[Skipped]

    @abstractmethod
    def locate(self, finding: Finding) -> Location:
        """Where a reader finds what the finding is about."""


@dataclass(slots=True)
class EngineSource(Source):
    """Resources as the engine writes them down, with the program's line wherever it kept one."""

    resources: list[Resource]
    positions: Mapping[str, Location] = field(default_factory=dict[str, Location])
    passed_over: Sequence[Skipped] = ()
    broken: Sequence[Skipped] = ()

    def locate(self, finding: Finding) -> Location:
        """The line that declared the resource, else the program."""
        return self.positions.get(finding.urn, Location(PROGRAM))


def content_of(path: Path, most: int | None = None) -> bytes:
    """What a file holds, or standard input where the path is ``-``.

    Raises:
        SourceError: it cannot be read, or has more than ``most`` bytes.
    """
    name = STDIN if str(path) == "-" else str(path)
    limit = -1 if most is None else most + 1
    try:
        if name == STDIN:
            content = sys.stdin.buffer.read(limit)
        else:
            with path.open("rb") as file:
                content = file.read(limit)
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}") from None
    if most is not None and len(content) > most:
        raise SourceError(f"{name}: larger than {most} bytes; split it")
    return content


def from_engine(entries: Mapping[str, Mapping[str, Any]]) -> EngineSource:
    """Resources from the engine's own form, by URN."""
    positions = {urn: position for urn, entry in entries.items() if (position := _position(entry)) is not None}
    return EngineSource([_resource(urn, entry) for urn, entry in entries.items()], positions)


def _resource(urn: str, entry: Mapping[str, Any]) -> Resource:
    properties = cast("dict[str, Plain]", to_plain(entry.get("inputs") or {}))
    links = cast("dict[str, list[str]]", entry.get("propertyDependencies") or {})
    return Resource(
        type=str(entry["type"]),
        name=urn.rpartition("::")[2],
        urn=urn,
        properties=properties,
        protect=bool(entry.get("protect")),
        links={key: tuple(urns) for key, urns in links.items() if urns},
    )


def _position(entry: Mapping[str, Any]) -> Location | None:
    """Such as ``project:///components/backup.py#41,9``."""
    text = entry.get("sourcePosition")
    if not isinstance(text, str) or not text.startswith("project:///"):
        return None
    file, _, place = text.removeprefix("project:///").partition("#")
    line = place.partition(",")[0]
    return Location(file, int(line) if line.isdigit() else 1)
