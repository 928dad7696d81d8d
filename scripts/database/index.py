"""An index that must be there, built without locking out a writer (section 6.2, defect 8)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

import psycopg

from runbook.indexes import Index
from scripts.clients.postgres import Access
from scripts.database import building, partitions
from scripts.exits import Exit, OpsError


class Action(StrEnum):
    """What became of an index."""

    PRESENT = "present"
    BUILT = "built"
    REBUILT = "rebuilt"
    NO_TABLE = "no table"
    DIFFERS = "differs"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """``action`` is what would be done in a dry run; ``code`` is how a failure ends the command."""

    name: str
    action: Action
    seconds: float = 0.0
    note: str = ""
    code: Exit = Exit.DONE


def ensure(connection: psycopg.Connection, access: Access, index: Index, *, dry_run: bool) -> Result:
    """Build ``index`` unless it is there; what an interrupted build left is dropped first.

    Readers and writers go on all the time. A run that is killed leaves an index that the next run finds invalid. Of a
    partitioned table each partition is built by itself.
    """
    table = building.table(connection, index.table)
    if table is None:
        return Result(index.name, Action.NO_TABLE, note=f"table {index.table} is not there yet")
    partitioned = table.kind == "p"
    found = building.named(building.indexes(connection, table, index.name), index.name)
    if found is not None and not found.is_as(index, table):
        how = "ONLY" if partitioned else "CONCURRENTLY"
        wanted = building.definition(index, index.name, table, how).as_string(connection)
        return Result(index.name, Action.DIFFERS, note=f"its definition is another one and is kept; wanted: {wanted}")
    if found is not None and found.valid:
        return Result(index.name, Action.PRESENT)
    action = Action.BUILT if found is None else Action.REBUILT
    start = time.monotonic()
    try:
        note = _parts(*partitions.lacking(connection, index, table), table.name) if partitioned else ""
        if dry_run:
            return Result(index.name, action, note=note)
        if partitioned:
            partitions.build(connection, access, index, table)
        else:
            building.build(connection, access, index, index.name, table)
    except OpsError as error:
        return Result(index.name, Action.FAILED, note=str(error), code=error.code)
    return Result(index.name, action, time.monotonic() - start, note)


def _parts(lacking: list[str], count: int, table: str) -> str:
    names = f" ({', '.join(lacking)})" if lacking else ""
    return f"concurrently on {len(lacking)} of {count} partitions{names}, all attached to an index on ONLY {table}"
