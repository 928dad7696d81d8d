"""Counts the rows of tables and sums a checksum of each, so that their order does not matter.

A row's checksum is that of its values as a client would get them: in binary where that says what the text says and no
more, in text else. Binary takes half of the time, and text is what remains for a database whose encoding is another
than the session's.
"""

from __future__ import annotations

from typing import Final, Literal, LiteralString

from scripts import lazy
from scripts.backup.postgres_model import Table

Method = Literal["binary", "text"]

# Tables of extensions are made by the extension itself and are not in the dump.
FROM_TABLES: Final = """
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND
    d.deptype = 'e')
"""
_TABLES: Final = f"SELECT n.nspname, c.relname {FROM_TABLES} ORDER BY 1, 2"
# The binary form of other types has what their text, and so a dump, loses: the sign of a NaN, whether an array had a
# NULL, the order of a tsquery; and numbers of types and of objects that each server has for itself. A type below
# 10000 is PostgreSQL's own. A table that inherits comes back with its parents' columns first, also those that the
# parents were given later: its columns are taken by their names.
_COLUMNS: Final = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.place, a.attname), array_agg(
  CASE WHEN a.attgenerated <> '' THEN NULL WHEN t.oid < 10000 AND t.typname IN (
      'int2', 'int4', 'int8', 'numeric', 'text', 'varchar', 'bpchar', 'bool', 'bytea', 'uuid', 'date', 'time', 'timetz',
      'timestamp', 'timestamptz', 'interval', 'json', 'jsonb', 'inet', 'cidr', 'oid') THEN ''
    WHEN t.typtype <> 'd' AND t.typoutput < 10000 THEN p.proname
    ELSE 'record_out' END ORDER BY a.place, a.attname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN LATERAL (
    SELECT attname, atttypid, attgenerated, CASE WHEN c.relispartition OR NOT EXISTS (
      SELECT FROM pg_inherits WHERE inhrelid = c.oid) THEN attnum ELSE 0 END AS place
    FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
  ) a ON true
  JOIN pg_type t ON t.oid = a.atttypid JOIN pg_proc p ON p.oid = t.typoutput
WHERE c.relkind = 'r'
GROUP BY 1, 2
"""
_OWN_PATH: Final = """
SELECT set_config('search_path', coalesce(max(substr(c, length('search_path=') + 1)), '"$user", public'), false)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
WHERE d.datname = current_database() AND s.setrole = 0 AND starts_with(c, 'search_path=')
"""
# The path of these queries is the database's own, and a cast of the row to text may be its owner's: so each function is
# named in full, and the text is made by the type's own output. ONLY: rows of partitions and of inheriting tables are
# counted where they are stored.
_COUNT: Final = "SELECT pg_catalog.count(*), NULL FROM ONLY {table} AS t"
_SUM: Final = """
SELECT pg_catalog.count(*), pg_catalog.numeric_out(coalesce(pg_catalog.sum({checksum}), 0)) FROM ONLY {table} AS t
"""
_CHECKSUMS: Final[dict[Method, LiteralString]] = {
    "binary": "pg_catalog.hash_record_extended(ROW(pg_catalog.record_send(ROW({values}))), 0)",
    "text": """pg_catalog.hashtextextended(
      pg_catalog.textin(pg_catalog.record_out(ROW({values}))) COLLATE pg_catalog."C", 0)""",
}
_XML: Final = "xml_out"
# The output of xml leaves out one line end at its beginning, each time.
_XML_TEXT: Final = "pg_catalog.ltrim(pg_catalog.textin(pg_catalog.xml_out({})), '\n')"
_HASHED: Final = """
SELECT n.nspname, c.relname, rn.nspname, r.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = pg_partition_root(c.oid) JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.relispartition AND c.relkind = 'r' AND EXISTS (
  SELECT FROM pg_partition_ancestors(c.oid) a JOIN pg_partitioned_table p ON p.partrelid = a.relid
  WHERE p.partstrat = 'h')
"""


def tables_of(connection: lazy.psycopg.Connection) -> tuple[tuple[str, str], ...]:
    """Schema and name of every table that a dump of the database holds."""
    return tuple((str(schema), str(name)) for schema, name in connection.execute(_TABLES.encode()).fetchall())


def method_for(connection: lazy.psycopg.Connection) -> Method:
    """How checksums of the connection's database are made: text in binary form is of the session's encoding."""
    return "binary" if connection.info.parameter_status("server_encoding") == "UTF8" else "text"


def count(
    connection: lazy.psycopg.Connection, tables: tuple[tuple[str, str], ...], method: Method | None
) -> tuple[Table, ...]:
    """The exact number of rows of each table and their checksum, as ``connection``'s transaction sees them.

    ``method`` None leaves the checksums out.
    """
    columns: dict[tuple[str, str], list[tuple[str, str]]] = {}
    if method is not None:
        # Before the path changes: these names are PostgreSQL's own.
        found = connection.execute(_COLUMNS).fetchall()
        columns = {
            (schema, name): [
                (column, output or "")
                for column, output in zip(names, outputs, strict=True)
                # No dump has them: PostgreSQL makes them anew, and their function may have been replaced since.
                if method == "text" or output is not None
            ]
            for schema, name, names, outputs in found
        }
    # The planner looks into the functions of an index, and they may need the database's own path.
    connection.execute(_OWN_PATH)
    return tuple(_count(connection, table, columns.get(table, []), method) for table in tables)


def hashed(connection: lazy.psycopg.Connection) -> dict[str, str]:
    """The tables whose rows a hash has spread, with the table that they are partitions of, by their labels.

    The hash of an enum is another after a restore, and so is the partition of a row.
    """
    found = connection.execute(_HASHED).fetchall()
    return {f"{schema}.{name}": f"{above}.{root}" for schema, name, above, root in found}


def _count(
    connection: lazy.psycopg.Connection, table: tuple[str, str], columns: list[tuple[str, str]], method: Method | None
) -> Table:
    name = lazy.sql.Identifier(*table)
    query = lazy.sql.SQL(_COUNT).format(table=name)
    if method is not None:
        values = lazy.sql.SQL(", ").join(_value(column, output, method) for column, output in columns)
        query = lazy.sql.SQL(_SUM).format(table=name, checksum=lazy.sql.SQL(_CHECKSUMS[method]).format(values=values))
    rows, checksum = connection.execute(query).fetchone() or (0, None)
    return Table(schema_name=table[0], name=table[1], rows=int(rows), checksum=checksum)


def _value(column: str, output: str, method: Method) -> lazy.sql.Composable:
    """A column, or its text where its binary form says more than that or a dump has less than both."""
    value = lazy.sql.Identifier("t", column)
    if output == _XML:
        return lazy.sql.SQL(_XML_TEXT).format(value)
    if method == "text" or not output:
        return value
    wrapped = lazy.sql.SQL("ROW({})").format(value) if output == "record_out" else value
    return lazy.sql.SQL("pg_catalog.textin(pg_catalog.{}({}))").format(lazy.sql.Identifier(output), wrapped)
