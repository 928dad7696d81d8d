"""Compares the schema of an archive with the one that came back of it, object by object, as pg_dump writes them.

PostgreSQL keeps an expression as it understood it, and writes it down anew: ``status IN ('new')`` on a varchar comes
back with its casts and parentheses in other places. So these are left out of the comparison, and names of columns that
PostgreSQL itself adds; every other word must be the same.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from scripts.backup import toc
from scripts.backup.toc import Archive
from scripts.clients import postgres
from scripts.clients.child import Child
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access

_HEADER: Final = re.compile(rb"-- Name: (.*); Type: (.*); Schema: (.*); Owner: .*\n?")
_TABLESPACE: Final = re.compile(rb"-- Name: .*; Owner: .*; Tablespace: (.*)\n?")
# What fills a materialized view belongs to the data for pg_dump, and to the schema for pg_restore.
_REFRESH: Final = "MATERIALIZED VIEW DATA"
_NAME: Final = rb'(?:"(?:[^"]|"")*"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_WORDING: Final = re.compile(
    # A cast: a type's name, which may have several words, a size and dimensions.
    rb"::\s*" + _NAME + rb"(?:\." + _NAME + rb")*(?: varying| precision)?(?:\([\d, ]*\))?"
    rb"(?: with(?:out)? time zone)?(?:\[\d*\])*|[()\s]+"
)
# PostgreSQL gives a name to a column of a query that has none.
_COLUMN: Final = re.compile(rb"\bAS\s+" + _NAME)
_QUERIES: Final = frozenset({"FUNCTION", "PROCEDURE", "VIEW", "MATERIALIZED VIEW", "RULE"})
# Rules, remarks with versions, a random word of each run, and owners that must be superusers: each server has its own.
_SAYS_NOTHING: Final = re.compile(
    rb"--|\\(?:un)?restrict |\n|ALTER (?:EVENT TRIGGER|FOREIGN DATA WRAPPER) .* OWNER TO .*;\n"
)
_OPTIONS: Final = ("--schema-only", "--no-subscriptions")
# What a line of a difference shows of each side, in characters.
_SHOWN: Final = 80


def differences(archive: Archive, dump: Program, access: Access, database: str, encoding: str) -> list[str]:
    """What the schema of ``database`` has less, more or otherwise than the archive, one line each.

    Raises:
        OpsError: pg_dump or pg_restore ends with an error.
    """
    options = (*archive.options, *_OPTIONS)
    saved = objects(archive.script(options))
    found = objects(_of_database(dump, access, database, (*options, f"--encoding={encoding}")))
    labels = {label for label in saved.keys() | found.keys() if saved.get(label) != found.get(label)}
    if not labels:
        return []
    # Once more, for a schema may have too many words to keep them all.
    before, after = (
        words(pieces, labels)
        for pieces in (
            archive.script(options),
            _of_database(dump, access, database, (*options, f"--encoding={encoding}")),
        )
    )
    return [f"{label} {_difference(before.get(label), after.get(label))}" for label in sorted(labels)]


def _difference(saved: Counter[bytes] | None, found: Counter[bytes] | None) -> str:
    if saved is None or found is None:
        return "is missing" if found is None else "is new"
    less, more = (next(iter(lines), b"").decode(errors="replace") for lines in (saved - found, found - saved))
    return f"is not the same: {less.strip()[:_SHOWN]!r} became {more.strip()[:_SHOWN]!r}"


def tablespaces(archive: Archive) -> frozenset[str]:
    """The tablespaces that tables, indexes and materialized views of the archive name."""
    matches = (_TABLESPACE.fullmatch(line) for line in toc.lines(archive.script(_OPTIONS)))
    return frozenset(match[1].decode() for match in matches if match)


def words(pieces: Iterator[bytes], labels: Collection[str]) -> dict[str, Counter[bytes]]:
    """The lines that stand below the headers of ``labels``, for a person to read."""
    found: dict[str, Counter[bytes]] = {}
    for label, _, said in _sections(pieces):
        if label in labels:
            found.setdefault(label, Counter()).update(said)
    return found


def objects(pieces: Iterator[bytes]) -> dict[str, Counter[str]]:
    """Digests of what stands below each header: objects of one name and type share theirs, and have no order."""
    found: dict[str, Counter[str]] = {}
    for label, kind, said in _sections(pieces):
        if kind != _REFRESH:
            # A table that inherits comes back with its parents' columns first.
            text = b"".join(sorted(line.rstrip(b",\n") for line in said) if _inherits(kind, said) else said)
            text = _WORDING.sub(b"", _COLUMN.sub(b"", text) if kind in _QUERIES else text)
            found.setdefault(label, Counter())[hashlib.sha256(text).hexdigest()] += 1
    return found


def _inherits(kind: str, said: list[bytes]) -> bool:
    return kind == "TABLE" and any(line.startswith(b"INHERITS (") for line in said)


def _sections(pieces: Iterator[bytes]) -> Iterator[tuple[str, str, list[bytes]]]:
    """Each object's label, its kind, and the lines that stand below its header."""
    label, kind, said = "the beginning", "", list[bytes]()
    for line in toc.lines(pieces):
        if match := _HEADER.fullmatch(line):
            yield label, kind, said
            name, kind, schema = (part.decode(errors="replace") for part in match.groups())
            label = f"{kind.lower()} {name}" if schema == "-" else f"{kind.lower()} {schema}.{name}"
            said = []
        elif not _SAYS_NOTHING.match(line):
            said.append(line)
    yield label, kind, said


def _of_database(dump: Program, access: Access, database: str, options: Sequence[str]) -> Iterator[bytes]:
    with (
        postgres.child_login(access, database, "ops restore pg_dump") as (environment, descriptors),
        Child([dump.path, *options, "--no-password"], environment, descriptors, feeds=False) as child,
    ):
        yield from child.output()
        code, stderr = child.wait()
    if code != 0:
        raise postgres.child_error("pg_dump", code, stderr, database)
