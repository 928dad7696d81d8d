"""Compares the schema of an archive with the one that came back of it, object by object, as pg_dump writes them.

PostgreSQL keeps an expression as it understood it, and writes it down anew: ``status IN ('new')`` on a varchar comes
back with its casts and parentheses in other places. So these are left out of the comparison, and names of columns that
PostgreSQL itself adds; every other word must be the same.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from scripts.backup.toc import Archive
from scripts.clients import postgres
from scripts.clients.child import Child
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access

_HEADER: Final = re.compile(rb"-- Name: (.*); Type: (.*); Schema: (.*); Owner: .*\n?")
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


def differences(archive: Archive, dump: Program, access: Access, database: str) -> list[str]:
    """What the schema of ``database`` has less, more or otherwise than the archive, one line each.

    Raises:
        OpsError: pg_dump or pg_restore ends with an error.
    """
    saved = objects(_of_archive(archive))
    found = objects(_of_database(dump, access, database))
    lines: list[str] = []
    for label in sorted(saved.keys() | found.keys()):
        if saved.get(label) != found.get(label):
            word = "is missing" if label not in found else "is new" if label not in saved else "is not the same"
            lines.append(f"{label} {word}")
    return lines


def objects(pieces: Iterator[bytes]) -> dict[str, Counter[str]]:
    """Digests of what stands below each header: objects of one name and type share theirs, and have no order."""
    found: dict[str, Counter[str]] = {}
    label, kind, said = "the beginning", "", list[bytes]()

    def end() -> None:
        if kind != _REFRESH:
            text = b"".join(said)
            text = _WORDING.sub(b"", _COLUMN.sub(b"", text) if kind in _QUERIES else text)
            found.setdefault(label, Counter())[hashlib.sha256(text).hexdigest()] += 1

    for line in _lines(pieces):
        if match := _HEADER.fullmatch(line):
            end()
            name, kind, schema = (part.decode(errors="replace") for part in match.groups())
            label = f"{kind.lower()} {name}" if schema == "-" else f"{kind.lower()} {schema}.{name}"
            said.clear()
        elif not _SAYS_NOTHING.match(line):
            said.append(line)
    end()
    return found


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest


def _of_archive(archive: Archive) -> Iterator[bytes]:
    arguments = [*_OPTIONS, "--file=-"]
    with archive.reading(arguments) as child:
        yield from child.output()
        code, stderr = child.wait()
    if code != 0:
        raise postgres.child_error("pg_restore", code, stderr, "the archive's schema")


def _of_database(dump: Program, access: Access, database: str) -> Iterator[bytes]:
    with (
        postgres.child_login(access, database, "ops restore pg_dump") as (environment, descriptors),
        Child([dump.path, *_OPTIONS, "--no-password"], environment, descriptors, feeds=False) as child,
    ):
        yield from child.output()
        code, stderr = child.wait()
    if code != 0:
        raise postgres.child_error("pg_dump", code, stderr, database)
