"""What came back against what was saved: properties, schema, rows, sequences. A difference is named and stops it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scripts import lazy, log
from scripts.backup import rows, schema, surroundings
from scripts.backup.manifest import PostgresManifest, differences, rows_of, shortened
from scripts.backup.postgres_model import DatabaseFacts, LargeObjects, Sequence, Surroundings, Table
from scripts.backup.toc import Archive
from scripts.clients import pgtools, postgres
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access
from scripts.exits import CheckFailedError

# What the swap gives it, and what a server makes itself.
_LATER = frozenset({"name", "comment", "template", "collation_version", "tablespace"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows by table; what was compared and is equal, and what could not be compared, in words."""

    counts: dict[str, int]
    compared: tuple[str, ...]
    notes: tuple[str, ...]


def against(
    access: Access,
    reader: lazy.psycopg.Connection,
    database: str,
    manifest: PostgresManifest,
    archive: Archive,
    otherwise: str,
    *,
    bare: bool,
) -> Comparison:
    """Compare ``database`` with its backup, and give the planner its statistics meanwhile.

    ``reader`` counts the rows: the planner runs functions of an index as the role that reads its table. ``bare`` says
    that it was restored without owners and rights.

    Raises:
        CheckFailedError: something differs; its line ends with ``otherwise``.
    """
    log.info("comparing", database=database, rows=manifest.rows)
    program, notes = pgtools.find("pg_dump", archive.program.major), list[str]()
    compared = ["rows and checksums of tables" if _has_checksums(manifest) else "rows of tables"]
    # Side by side: the one waits for pages, the other for a processor.
    with ThreadPoolExecutor(1, "analyze") as pool:
        analyzing = pool.submit(_analyze, access, database)
        with (
            postgres.connect(access, database, application="ops restore", doing=f"comparing {database}") as connection,
            postgres.cancelled(reader),
        ):
            server = connection.info.server_version
            method = manifest.checksums if _has_checksums(manifest) else None
            tables = rows.count(reader, rows.tables_of(connection), method)
            wrong = list(_of_rows(manifest, tables, rows.hashed(connection)))
            if manifest.surroundings is not None:
                compared += ["properties and rights of the database", "extensions", "sequences"]
                wrong += _of_facts(manifest.database, surroundings.facts(connection))
                there = surroundings.read(connection)
                wrong += _of_surroundings(manifest.surroundings, there)
                notes += _of_extensions(manifest.surroundings, there)
            if manifest.large_objects is not None:
                compared.append("large objects")
                wrong += _of_large_objects(manifest.large_objects, surroundings.large_objects(connection))
        if note := None if bare else incomparable(archive.dump_version, program, server):
            notes.append(note)
        elif not bare:
            compared.append("schema")
            wrong += schema.differences(archive, program, access, database, manifest.database.encoding)
        if wrong:
            raise CheckFailedError(
                f"backup {manifest.id} is not restored: {shortened(wrong, 'differences')}; {otherwise}"
            )
        log.info("everything is equal", tables=len(tables), rows=manifest.rows)
        analyzing.result()
    return Comparison(rows_of(tables), tuple(compared), tuple(notes))


def _has_checksums(manifest: PostgresManifest) -> bool:
    return all(table.checksum is not None for table in manifest.tables)


def _of_rows(manifest: PostgresManifest, found: tuple[Table, ...], hashed: Mapping[str, str]) -> Iterator[str]:
    """Differences in rows, of partitions by a hash those in all of them: a checksum is a sum over rows."""
    (saved, before), (there, after) = (_sums(tables, hashed) for tables in (manifest.tables, found))
    yield from differences(saved, there, "no table")
    for label, checksum in before.items():
        if after.get(label, checksum) != checksum:
            yield f"the content of {label} is another"


def _sums(tables: tuple[Table, ...], hashed: Mapping[str, str]) -> tuple[dict[str, int], dict[str, int]]:
    counts, checksums = dict[str, int](), dict[str, int]()
    for table in tables:
        label = hashed.get(table.label, table.label)
        counts[label] = counts.get(label, 0) + table.rows
        if table.checksum is not None:
            checksums[label] = checksums.get(label, 0) + int(table.checksum)
    return counts, checksums


def _of_facts(saved: DatabaseFacts, found: DatabaseFacts) -> Iterator[str]:
    for name in DatabaseFacts.model_fields:
        before, after = getattr(saved, name), getattr(found, name)
        if name not in _LATER and before != after:
            yield f"{name.replace('_', ' ')} of the database is {after!r} instead of {before!r}"


def _of_surroundings(saved: Surroundings, found: Surroundings) -> Iterator[str]:
    names = {extension.name for extension in found.extensions}
    yield from (f"extension {each.name} is missing" for each in saved.extensions if each.name not in names)
    there = {sequence.label: sequence for sequence in found.sequences}
    for sequence in saved.sequences:
        if not _reached(sequence, there.get(sequence.label)):
            yield f"sequence {sequence.label} is behind {sequence.value}"


def _of_extensions(saved: Surroundings, found: Surroundings) -> Iterator[str]:
    """What a dump does not have of an extension that is there: its owner, and what was altered of what it made."""
    there = {extension.name: extension for extension in found.extensions}
    for before in saved.extensions:
        after = there.get(before.name, before)
        if after.version != before.version:
            yield f"extension {before.name} is {after.version} instead of {before.version}"
        elif before.members not in {None, after.members}:
            yield f"functions, columns or views of extension {before.name} were altered, and are as it makes them here"
        if lost := set(before.tables) - set(after.tables):
            yield (
                f"extension {before.name} had {shortened(sorted(lost), 'tables')}, which it does not make "
                "here: no dump has what is of an extension"
            )
        if before.owner not in {None, after.owner}:
            yield f"extension {before.name} belonged to {before.owner} and belongs to {after.owner} here"


def _of_large_objects(saved: LargeObjects, found: LargeObjects) -> Iterator[str]:
    if saved != found:
        yield (
            f"{found.count} large objects of {found.bytes} bytes came back instead of {saved.count} of {saved.bytes}, "
            "or their content is another"
        )


def _reached(saved: Sequence, found: Sequence | None) -> bool:
    """Whether a sequence is as far as it was before the dump read it."""
    if found is None:
        return False
    if saved.value is None or saved.value == found.value:
        return True
    return found.value is not None and (found.value > saved.value) == (saved.increment > 0)


def incomparable(dump_version: str, program: Program, server: int) -> str | None:
    """Why a schema that ``dump_version`` saved cannot be compared with that of ``server`` (like 150018); None: it can.

    Each release writes some statements in other words, and a pg_dump that is older than the server writes down what a
    newer one knows to be the server's own.
    """
    major, _, minor = program.version.partition(".")
    newest = int(major) * 10000 + int(minor) if major.isdigit() and minor.isdigit() else 0
    if dump_version == program.version and server <= newest:
        return None
    return (
        f"the schema was not compared: pg_dump {dump_version} saved it, and this is pg_dump {program.version} "
        f"and a server of PostgreSQL {server // 10000}.{server % 10000}"
    )


def _analyze(access: Access, name: str) -> None:
    doing = f"statistics of {name}"
    with postgres.connect(access, name, application="ops restore analyze", doing=doing) as connection:
        connection.execute("ANALYZE")
