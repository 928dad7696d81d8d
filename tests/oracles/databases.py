"""Databases that Hypothesis makes up: the statements that build one, names and values as odd as PostgreSQL allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from hypothesis import strategies as st

# Names that a tool which quotes by hand gets wrong; and any other text, as long as PostgreSQL does not cut it.
_ODD: Final = (
    "select",
    "Table", "a b", 'quo"te', "it's", "back\\slash", "dot.ted", "ünïcödé", "100%", "%s", "$1", "a;b", "--",
    "/*", "new\nline", "tab\t", "pg", "user", "{}", "UPPER", "upper", "_", "x" * 63,
)  # fmt: skip
_NAMES: Final = st.one_of(
    st.sampled_from(_ODD),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\ue000"), min_size=1, max_size=15).filter(
        lambda text: not text.startswith("pg_") and not text.lower().startswith("crypto_")
    ),
)
_TAKEN: Final = frozenset({"key", "twice", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
# A type, and what an expression of it makes of the number i; all of them keep their values in a dump.
_TYPES: Final = {
    "int": "i",
    "bigint": "i::bigint * 1000000007",
    "smallint": "i % 100",
    "numeric": "i / 7.0",
    "numeric(12, 4)": "i / 7.0",
    "real": "i / 3.0",
    "double precision": "i / 3.0",
    "text": "repeat(chr(33 + i % 90), i % 40)",
    "varchar(50)": "E'\\\\ \\t \\n' || i",
    "char(7)": "i::text",
    "bytea": "decode(md5(i::text), 'hex')",
    "boolean": "i % 2 = 0",
    "date": "'1999-12-31'::date + i",
    "timestamp": "'2026-03-29 01:30'::timestamp + i * interval '7 min'",
    "timestamptz": "'2026-03-29 01:30+00'::timestamptz + i * interval '7 min'",
    "time": "'00:00'::time + i * interval '1 min'",
    "timetz": "('00:00'::time + i * interval '1 min')::timetz",
    "interval": "make_interval(months => i, days => i, secs => i / 3.0)",
    "uuid": "md5(i::text)::uuid",
    "json": "('{\"a\":   ' || i || '}')::json",
    "jsonb": "jsonb_build_object('a', i)",
    "xml": "('<a>' || i || '</a>')::xml",
    "inet": "'10.0.0.0'::inet + i",
    "cidr": "'10.0.0.0/8'::cidr",
    "macaddr": "'08:00:2b:01:02:03'::macaddr",
    "bit(5)": "i::bit(5)",
    "varbit": "B'101'",
    "tsvector": "to_tsvector('simple', 'a b ' || i)",
    "tsquery": "'a & b'::tsquery",
    "point": "point(i, i / 3.0)",
    "box": "box(point(i, i), point(0, 0))",
    "polygon": "'((0,0),(1,1),(2,0))'::polygon",
    "money": "i::money",
    "int4range": "int4range(i, i + 5)",
    "tstzmultirange": "'{}'::tstzmultirange",
    "int[]": "ARRAY[i, NULL, i]",
    "text[]": "ARRAY['{', '\"', NULL, '']",
    "oid": "i::oid",
    "regtype": "'int'::regtype",
    "pg_lsn": "'0/0'::pg_lsn",
    "name": "('n' || i)::name",
}
_SETTINGS: Final = (
    ("timezone", "Asia/Kathmandu"),
    ("DateStyle", "German"),
    ("IntervalStyle", "iso_8601"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-3"),
    ("lc_monetary", "C"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_isolation", "serializable"),
    ("search_path", ""),
    ("search_path", '"$user", "a b", public'),
    ("row_security", "off"),
    ("statement_timeout", "9s"),
    ("work_mem", "5MB"),
    ("check_function_bodies", "off"),
    ("session_replication_role", "replica"),
    ("custom.setting", 'it\'s = "this", \\ and that'),
)
_ATTRIBUTES: Final = (
    "LOGIN", "NOINHERIT", "CREATEDB", "CREATEROLE", "BYPASSRLS", "REPLICATION", "CONNECTION LIMIT 3",
    "VALID UNTIL '2031-01-01 00:00:00+00'",
)  # fmt: skip
# Stands for the database's name in a statement about it.
PLACE: Final = "\ue000"
_CREATION: Final = (
    "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
    "ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
    "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'sv-u-kn-true' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
    "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'und' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
)


def quoted(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a literal."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@dataclass(slots=True)
class Built:
    """How a database is created, its roles, and statements in their order: within it, and of its properties."""

    creation: str
    roles: list[str]
    role_statements: list[str] = field(default_factory=list[str])
    statements: list[str] = field(default_factory=list[str])
    properties: list[str] = field(default_factory=list[str])
    names: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


@st.composite
def built(draw: st.DrawFn) -> Built:
    """A whole database."""
    found = Built(draw(st.sampled_from(_CREATION)), sorted(draw(st.sets(_NAMES, min_size=1, max_size=3))))
    for role in found.roles:
        words = draw(st.lists(st.sampled_from(_ATTRIBUTES), unique=True))
        found.role_statements.append(f"CREATE ROLE {quoted(role)} {' '.join(words)}")
    for member, role in pairwise(found.roles):
        if draw(st.booleans()):
            option = draw(st.sampled_from(["", " WITH ADMIN OPTION"]))
            found.role_statements.append(f"GRANT {quoted(role)} TO {quoted(member)}{option}")
    schemas = ["public", *draw(st.lists(_NAMES, unique=True, max_size=2))]
    for schema in schemas[1:]:
        found.statements.append(f"CREATE SCHEMA {quoted(schema)} AUTHORIZATION {quoted(draw(_role(found)))}")
    types = {**_TYPES, **_own_types(draw, found, schemas)}
    for _ in range(draw(st.integers(1, 4))):
        _table(draw, found, schemas, types)
    for _ in range(draw(st.integers(0, 2))):
        _sequence(draw, found, schemas)
    for _ in range(draw(st.integers(0, 2))):
        _large_object(draw, found)
    _properties(draw, found)
    return found


def _role(found: Built) -> st.SearchStrategy[str]:
    return st.sampled_from(found.roles)


def _name(draw: st.DrawFn, found: Built, schema: str) -> str:
    """A free name in a schema: tables, indexes, sequences and types share theirs."""
    name = draw(_NAMES.filter(lambda text: (schema, text.encode()[:63].decode(errors="ignore")) not in found.names))
    found.names.add((schema, name))
    return f"{quoted(schema)}.{quoted(name)}"


def _own_types(draw: st.DrawFn, found: Built, schemas: list[str]) -> dict[str, str]:
    """An enum, a domain, a composite and a range; their names with an expression of a value."""
    made: dict[str, str] = {}
    makers: list[Callable[[str], tuple[str, str]]] = [
        lambda name: (f"CREATE TYPE {name} AS ENUM ('sad', 'it''s', 'Ok')", f"'it''s'::{name}"),
        lambda name: (f"CREATE DOMAIN {name} AS int DEFAULT 3 CHECK (VALUE > -5) NOT NULL", f"i::{name}"),
        lambda name: (f'CREATE TYPE {name} AS (a int, "B c" text)', f"ROW(i, 'x,\"y')::{name}"),
        lambda name: (f"CREATE TYPE {name} AS RANGE (subtype = float8)", f"{name}(i, i + 0.1)"),
    ]
    for maker in draw(st.lists(st.sampled_from(makers), unique=True, max_size=3)):
        name = _name(draw, found, draw(st.sampled_from(schemas)))
        statement, value = maker(name)
        found.statements += [statement, *_owned(draw, found, "DOMAIN" if "DOMAIN" in statement else "TYPE", name)]
        made[name] = value
    return made


def _owned(draw: st.DrawFn, found: Built, kind: str, name: str) -> list[str]:
    """An owner, a comment and rights, or none of them."""
    statements: list[str] = []
    if draw(st.booleans()):
        statements.append(f"ALTER {kind} {name} OWNER TO {quoted(draw(_role(found)))}")
    if draw(st.booleans()):
        statements.append(f"COMMENT ON {kind} {name} IS {literal(draw(st.sampled_from(_ODD)))}")
    if draw(st.booleans()):
        privilege = {"TABLE": "SELECT, TRIGGER", "SEQUENCE": "USAGE"}.get(kind, "USAGE")
        target = "TYPE" if kind == "DOMAIN" else kind
        option = draw(st.sampled_from(["", " WITH GRANT OPTION"]))
        statements.append(f"GRANT {privilege} ON {target} {name} TO {quoted(draw(_role(found)))}{option}")
    return statements


def _table(draw: st.DrawFn, found: Built, schemas: list[str], types: dict[str, str]) -> None:
    schema = draw(st.sampled_from(schemas))
    name = _name(draw, found, schema)
    columns = draw(st.lists(_NAMES.filter(lambda text: text not in _TAKEN), unique=True, max_size=6))
    kinds = [draw(st.sampled_from(sorted(types))) for _ in columns]
    parts = [f"{quoted(column)} {kind}" for column, kind in zip(columns, kinds, strict=True)]
    partitioned = draw(st.booleans())
    unlogged = "" if partitioned or draw(st.booleans()) else "UNLOGGED "
    kinds_of_identity = ("", "GENERATED ALWAYS AS IDENTITY", "GENERATED BY DEFAULT AS IDENTITY (INCREMENT -3)")
    identity = "" if partitioned else draw(st.sampled_from(kinds_of_identity))
    parts += [f"key int NOT NULL {identity}", "twice bigint GENERATED ALWAYS AS (key * 2) STORED"]
    suffix = " PARTITION BY RANGE (key)" if partitioned else ""
    found.statements.append(f"CREATE {unlogged}TABLE {name} ({', '.join(parts)}){suffix}")
    if partitioned:
        for number, bounds in enumerate(("FROM (MINVALUE) TO (10)", "FROM (10) TO (MAXVALUE)")):
            part = _name(draw, found, draw(st.sampled_from(schemas)))
            found.statements.append(f"CREATE TABLE {part} PARTITION OF {name} FOR VALUES {bounds}")
            if number and draw(st.booleans()):
                found.statements.append(f"COMMENT ON TABLE {part} IS 'second'")
    rows = draw(st.sampled_from([0, 1, 30]))
    own = [quoted(column) for column in columns] + ([] if identity else ["key"])
    values = [types[kind] for kind in kinds] + ([] if identity else ["i"])
    if own:
        found.statements.append(
            f"INSERT INTO {name} ({', '.join(own)}) SELECT {', '.join(values)} FROM generate_series(1, {rows}) i"
        )
    found.statements += _owned(draw, found, "TABLE", name)
    _around(draw, found, schema, name, logged=not unlogged)


def _around(draw: st.DrawFn, found: Built, schema: str, table: str, *, logged: bool) -> None:
    """What belongs to a table: keys, indexes, statistics, triggers, policies, views, publications."""
    number = len(found.statements)
    function, own = f"{quoted(schema)}.noted_{number}", draw(_NAMES)
    choices = [
        f"ALTER TABLE {table} ADD PRIMARY KEY (key)",
        f"ALTER TABLE {table} ADD CHECK (key > -100000)",
        f"CREATE INDEX ON {table} (key DESC, (key + 1)) WHERE key > 3",
        f"CREATE INDEX ON {table} USING brin (key)",
        f"CREATE STATISTICS {_name(draw, found, schema)} ON key, twice FROM {table}",
        f"""CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $f$
-- Name: x; Type: y; Schema: z; Owner: w
BEGIN RETURN NEW; END $f$;
CREATE TRIGGER {quoted(own)} AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()""",
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY {quoted(own)} ON {table} TO {quoted(draw(_role(found)))} USING (key > 1) WITH CHECK (key > 2)",
        f"CREATE VIEW {_name(draw, found, schema)} AS SELECT key, twice FROM {table} WHERE key > 2",
        f"CREATE MATERIALIZED VIEW {_name(draw, found, schema)} AS SELECT count(*) AS n FROM {table}",
        f"GRANT SELECT (key), UPDATE (key) ON {table} TO {quoted(draw(_role(found)))}",
        f"ALTER TABLE {table} ALTER key SET STATISTICS 7",
    ]
    if logged:
        choices.append(f"CREATE PUBLICATION {quoted(f'{number} {own}')} FOR TABLE {table}")
    found.statements += draw(st.lists(st.sampled_from(choices), unique=True, max_size=6))


def _sequence(draw: st.DrawFn, found: Built, schemas: list[str]) -> None:
    name = _name(draw, found, draw(st.sampled_from(schemas)))
    found.statements.append(f"CREATE SEQUENCE {name} INCREMENT {draw(st.sampled_from([1, -1, 7]))} CYCLE")
    if draw(st.booleans()):
        found.statements.append(f"SELECT nextval({literal(name)}), nextval({literal(name)})")
    found.statements += _owned(draw, found, "SEQUENCE", name)


def _large_object(draw: st.DrawFn, found: Built) -> None:
    size = draw(st.sampled_from([0, 1, 2048, 1_100_000]))
    found.statements.append(f"SELECT lo_from_bytea(0, decode(repeat('ab', {size}), 'hex'))")


def _properties(draw: st.DrawFn, found: Built) -> None:
    for name, value in draw(st.lists(st.sampled_from(_SETTINGS), unique_by=lambda pair: pair[0], max_size=4)):
        who = draw(st.sampled_from([f"DATABASE {PLACE}", f"ROLE {quoted(draw(_role(found)))} IN DATABASE {PLACE}"]))
        setting = ".".join(quoted(part) for part in name.split("."))
        values = value if name == "search_path" and value else literal(value)
        found.properties.append(f"ALTER {who} SET {setting} TO {values}")
    for role in draw(st.lists(_role(found), unique=True)):
        privileges = draw(st.sampled_from(["CONNECT", "ALL", "TEMPORARY, CREATE"]))
        found.properties.append(f"GRANT {privileges} ON DATABASE {PLACE} TO {quoted(role)}")
    choices = [
        f"REVOKE CONNECT, TEMPORARY ON DATABASE {PLACE} FROM PUBLIC",
        f"ALTER DATABASE {PLACE} OWNER TO {quoted(draw(_role(found)))}",
        f"COMMENT ON DATABASE {PLACE} IS {literal(draw(st.sampled_from(_ODD)))}",
        f"ALTER DATABASE {PLACE} CONNECTION LIMIT {draw(st.sampled_from([9, 40]))}",
        f"ALTER DATABASE {PLACE} IS_TEMPLATE true",
    ]
    found.properties += draw(st.lists(st.sampled_from(choices), unique=True))
