"""An index of a partitioned table: built on each partition, and attached to an index of the parent alone.

PostgreSQL builds no index of a partitioned table concurrently. One made with ON ONLY is invalid until every partition
has its part; a partition that is made from then on gets its part by itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import psycopg
from psycopg import sql

from runbook.indexes import Index
from scripts import log
from scripts.clients import postgres
from scripts.clients.postgres import Access
from scripts.database import building
from scripts.database.building import Found, Table
from scripts.exits import CheckFailedError, OpsError

_TREE: Final = """
SELECT c.oid::int8, n.nspname, c.relname, c.relkind::text, t.parentrelid::oid::int8
FROM pg_partition_tree(%s::oid) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY t.level, c.relname
"""
# What a name may have: PostgreSQL cuts off the rest.
_NAME_BYTES: Final = 63
_FOREIGN: Final = "f"
_PARTITIONED: Final = "p"
# Partitions that come while others are built bring their part along; one that is attached meanwhile may lack it.
_ROUNDS: Final = 3


@dataclass(slots=True)
class _Node:
    """A table of the tree, its part of the index, and those below it."""

    table: Table
    parent: int | None
    part: Found | None = None
    below: list[_Node] = field(default_factory=list["_Node"])

    @property
    def partitioned(self) -> bool:
        return self.table.kind == _PARTITIONED


def lacking(connection: psycopg.Connection, index: Index, root: Table) -> tuple[list[str], int]:
    """The partitions that lack their part, by name, and how many there are.

    Raises:
        CheckFailedError: a partition can have no index.
    """
    leaves = [node for node in _tree(connection, index, root) if not node.partitioned]
    return [node.table.name for node in leaves if node.part is None], len(leaves)


def build(connection: psycopg.Connection, access: Access, index: Index, root: Table) -> None:
    """Build what lacks, and attach it, until the whole index is valid.

    Writers go on all the time: for what locks them out it is waited for moments only, again and again.

    Raises:
        CheckFailedError: a partition can have no index, or the index stays invalid.
        TemporaryError: a lock was not to be had.
    """
    for _ in range(_ROUNDS):
        problems: list[OpsError] = []
        with postgres.translated(f"index {index.name}"):
            for node in _tree(connection, index, root):
                if node.part is None:
                    try:
                        _make(connection, access, index, node, root)
                    except OpsError as error:
                        # The others are built all the same, and the next run has less to do.
                        problems.append(error)
            nodes = _tree(connection, index, root)
            # From below: a part is valid once those below it are attached.
            for node in reversed(nodes):
                for child in node.below:
                    _attach(connection, node, child)
            whole = building.named(building.indexes(connection, root), index.name)
        if problems:
            raise problems[0]
        if whole is not None and whole.valid:
            return
    raise CheckFailedError(
        f"index {index.name}: every partition has its part, and it stays invalid: one that is attached is invalid"
        f" itself; DROP INDEX {index.name} lets the next run build all of it anew"
    )


def _tree(connection: psycopg.Connection, index: Index, root: Table) -> list[_Node]:
    """The table and its partitions, those above first, each with its part of the index where there is one.

    Raises:
        CheckFailedError: a partition can have no index.
    """
    nodes: dict[int, _Node] = {}
    for oid, schema, name, kind, parent in connection.execute(_TREE, (root.oid,)).fetchall():
        if kind == _FOREIGN:
            raise CheckFailedError(f"index {index.name}: the partition {name} is a foreign table, which has no indexes")
        node = nodes[oid] = _Node(Table(oid, schema, name, kind), parent if parent in nodes else None)
        above = nodes.get(parent)
        if above is not None:
            above.below.append(node)
        node.part = _part(connection, index, node, None if above is None else above.part, root)
    return list(nodes.values())


def _part(connection: psycopg.Connection, index: Index, node: _Node, above: Found | None, root: Table) -> Found | None:
    """The part of a table: what is attached to the one above, else what could be."""
    found = building.indexes(connection, node.table)
    if node.table.oid == root.oid:
        return building.named(found, index.name)
    attached = [each for each in found if above is not None and each.parent == above.oid]
    free = [
        each
        for each in found
        if each.parent is None and each.is_as(index, node.table) and not each.unique
        and (each.valid or node.partitioned)
    ]  # fmt: skip
    return next(iter([*attached, *free]), None)


def _make(connection: psycopg.Connection, access: Access, index: Index, node: _Node, root: Table) -> None:
    name = index.name if node.table.oid == root.oid else _name(index, node.table)
    if not node.partitioned:
        building.build(connection, access, index, name, node.table)
        return
    log.info("making the index of the parent alone", index=name)
    building.briefly(connection, building.definition(index, name, node.table, "ONLY"))


def _attach(connection: psycopg.Connection, node: _Node, child: _Node) -> None:
    if node.part is None or child.part is None or child.part.parent == node.part.oid:
        return
    log.info("attaching", index=child.part.name)
    parts = node.part.identifier, child.part.identifier
    building.briefly(connection, sql.SQL("ALTER INDEX {} ATTACH PARTITION {}").format(*parts))


def _name(index: Index, of: Table) -> str:
    """The name of a partition's part; a long one is told from others by a digest."""
    name = f"{index.name}_{of.name}"
    if len(name.encode()) <= _NAME_BYTES:
        return name
    return f"{index.name[:40]}_{hashlib.sha256(of.name.encode()).hexdigest()[:12]}"
