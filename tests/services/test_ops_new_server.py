"""A restore after a disaster: on an empty server everything comes back, and pg_dump of both sides says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from runbook.datastores import BACKUP_ROLE
from scripts.backup import rows, schema
from tests.services import ops_environment, whole_database
from tests.services.ops_environment import PASSWORDS, Answer, Environment
from tests.services.servers import SUPERUSER, Server
from tests.services.whole_database import OBJECTS, PROPERTIES, ROLES

pytestmark = pytest.mark.timeout(180)

_NAME = 'Whole "Database"'
_NAMES = ("app", "reader", "auditor", "App Group", BACKUP_ROLE)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[Environment]:
    with ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment:
        with environment.connect("postgres") as connection:
            connection.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(sql.Identifier(BACKUP_ROLE)))
        yield environment


@pytest.fixture(scope="module")
def new_server() -> Iterator[Server]:
    with ops_environment.postgres() as server:
        yield server


def build(environment: Environment, creation: LiteralString, roles: tuple[str, ...], objects: tuple[str, ...]) -> None:
    """A database on the old server, and its roles."""
    name = sql.Identifier(_NAME)
    with environment.connect("postgres") as connection:
        for statement in roles:
            connection.execute(statement.encode())
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ").format(name) + sql.SQL(creation))
    with environment.connect(_NAME) as connection:
        for statement in objects:
            connection.execute(statement.encode())
        allowed = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
        connection.execute(allowed.format(name, sql.Identifier(BACKUP_ROLE)))
        for (number,) in connection.execute("SELECT oid FROM pg_largeobject_metadata").fetchall():
            allowed = sql.SQL("GRANT SELECT ON LARGE OBJECT {} TO {}")
            connection.execute(allowed.format(number, sql.Identifier(BACKUP_ROLE)))
        for statement in PROPERTIES:
            connection.execute(sql.SQL(statement).format(name))


def connected(server: Server, database: str) -> psycopg.Connection:
    """A session of the superuser of either server."""
    return psycopg.connect(
        host=server.host, port=server.port, user=SUPERUSER, password=PASSWORDS["superuser"], dbname=database
    )


def on(environment: Environment, server: Server, database: str = _NAME) -> None:
    """Have ``ops`` work with a database of a server."""
    postgres = environment.settings["postgres"]
    environment.configure(postgres=postgres | {"host": server.host, "port": server.port, "database": database})


@pytest.fixture(scope="module")
def whole(environment: Environment) -> Environment:
    """The environment with the whole database on its server."""
    build(environment, "LOCALE_PROVIDER icu ICU_LOCALE 'sv-u-kn-true' ENCODING UTF8", ROLES, OBJECTS)
    return environment


def test_the_checksum_in_text_is_that_of_the_texts_of_the_rows_as_in_every_release(whole: Environment) -> None:
    earlier = sql.SQL("""
        SELECT count(*), coalesce(sum(hashtextextended((t.*)::text COLLATE "C", 0)), 0)::text FROM ONLY {} AS t
    """)
    with whole.connect(_NAME) as connection:
        connection.execute("SET extra_float_digits = 1")
        tables = rows.tables_of(connection)
        found = {
            (table.schema_name, table.name): (table.rows, table.checksum)
            for table in rows.count(connection, tables, "text")
        }
        expected = {table: connection.execute(earlier.format(sql.Identifier(*table))).fetchone() for table in tables}

        # Its columns are taken by their names: a restore gives them another order.
        del found["public", "derived"], expected["public", "derived"]

    assert len([count for count, _ in found.values() if count]) > 5
    assert found == expected


# Values that differ least: by sign, scale, spelling, dimension, or in 32 bits alone; -0 and 0 are equal for PostgreSQL.
_NEIGHBOURS: LiteralString = """
CREATE TYPE n_kind AS enum ('a', 'b'); CREATE TYPE n_pair AS (a int, b text); CREATE DOMAIN n_word AS varchar(9);
CREATE EXTENSION IF NOT EXISTS citext; CREATE EXTENSION IF NOT EXISTS hstore;
CREATE TABLE neighbours (
  a int8, b numeric, c float8, d text, e bpchar(5), f interval, g jsonb, h int[], i n_kind, j n_pair, k n_word,
  l citext, m hstore, n n_kind[], o timestamptz, p regclass, q bytea, r int4range, s inet, t timetz, u json, v bool
);
INSERT INTO neighbours VALUES
  (1, 1, 0, 'a', 'a', '1 mon', '{"a": 1}', '{1,2}', 'a', '(1,a)', 'a', 'a', 'a=>1', '{a}', '2026-01-01Z', 'pg_class',
   '\\x01', '[1,2)', '10.0.0.1', '02:00+00', '{"a":1}', true),
  (4294967296, -1, '-0', 'A', 'b', '30 days', '{"a": 1.0}', '{{1,2}}', 'b', '(1,b)', 'A', 'A', 'a=>2', '{b}',
   '2026-01-01 00:00:00.000001Z', 'pg_type', '\\x02', '[1,3)', '10.0.0.1/8', '03:00+01', '{"a": 1}', false),
  (NULL, 1.0, 'NaN', '', '', NULL, 'null', '[2:3]={1,2}', NULL, '(1,)', '', '', '', '{}', 'infinity', NULL, '', 'empty',
   NULL, NULL, 'null', NULL);
"""


# The first row keeps its value, gets one of the others, and changes it with the second row.
_CHANGES: tuple[LiteralString, ...] = (
    "UPDATE neighbours SET {0} = (SELECT {0} FROM neighbours WHERE a = 1) WHERE a = 1",
    "UPDATE neighbours SET {0} = (SELECT {0} FROM neighbours WHERE a = 4294967296) WHERE a = 1",
    "UPDATE neighbours SET {0} = (SELECT {0} FROM neighbours WHERE a IS NULL) WHERE a = 1",
    "UPDATE neighbours n SET {0} = (SELECT {0} FROM neighbours o WHERE o.a <> n.a) WHERE a IS NOT NULL",
)


@pytest.mark.parametrize("method", ["binary", "text"])
def test_a_checksum_tells_the_values_of_a_column_and_their_rows_apart_and_does_not_mind_the_order_of_rows(
    environment: Environment, method: rows.Method
) -> None:
    with environment.connect("postgres") as connection, connection.transaction(force_rollback=True):
        connection.execute(_NEIGHBOURS)

        def checksum(*changes: sql.SQL | sql.Composed) -> str | None:
            with connection.transaction(force_rollback=True):
                for change in changes:
                    connection.execute(change)
                (table,) = rows.count(connection, (("public", "neighbours"),), method)
            return table.checksum

        plain = checksum()
        moved = "CREATE TEMP TABLE t ON COMMIT DROP AS TABLE neighbours; DELETE FROM neighbours;"
        back = "INSERT INTO neighbours SELECT * FROM t ORDER BY a DESC NULLS LAST"
        assert checksum(sql.SQL(moved), sql.SQL(back)) == plain
        columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'neighbours'::regclass AND attnum > 0"
        names = [str(name) for (name,) in connection.execute(columns).fetchall()]
        assert len(names) == 22
        for name in names:
            same, *others = [checksum(sql.SQL(change).format(sql.Identifier(name))) for change in _CHANGES]
            assert same == plain, name
            assert len({plain, *others}) == 4, name


def test_a_restore_on_an_empty_server_is_equal_by_pg_dump_and_pg_dumpall(
    whole: Environment, new_server: Server
) -> None:
    environment = whole
    on(environment, environment.database)
    saved = environment.ops("backup", "postgres", "--json")
    assert saved.code == 0, saved.stderr

    on(environment, new_server)
    answer = environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    before, after = (
        whole_database.comparable(whole_database.dumped(server, SUPERUSER, PASSWORDS["superuser"], _NAME))
        for server in (environment.database, new_server)
    )
    assert after == before
    before, after = (
        whole_database.roles(server, SUPERUSER, PASSWORDS["superuser"], _NAMES)
        for server in (environment.database, new_server)
    )
    assert len(before) > 10
    assert after == before


# PostgreSQL writes them down in other words once they were restored, or in another order.
_REWORDED = """
CREATE TABLE orders (
  id serial PRIMARY KEY, status varchar(20) CHECK (status IN ('new', 'done')), i int DEFAULT 5,
  CHECK (i BETWEEN 1 AND 9 AND (i <> 3 AND i <> 4))
);
CREATE INDEX open_orders ON orders (i) WHERE status IN ('new', 'held');
CREATE VIEW open_ones AS SELECT id, status FROM orders WHERE status IN ('new', 'held');
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FILTER (WHERE status IN ('new', 'held')) FROM orders;
CREATE DOMAIN state AS varchar CHECK (VALUE IN ('on', 'off'));
CREATE FUNCTION letter() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'a'; END;
CREATE POLICY seen ON orders USING (status IN ('new', 'done'));
ALTER TABLE orders ADD CONSTRAINT later CHECK (status IN ('new', 'done', 'held')) NOT VALID;
INSERT INTO orders (status) VALUES ('new'), ('done');
CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent); INSERT INTO child VALUES (1, 2);
ALTER TABLE parent ADD COLUMN z int; UPDATE child SET z = 3;
"""


# Owned by a superuser whom the throwaway server and a new one do not have; rows that a hash of OIDs spreads.
_OF_ANOTHER_SUPERUSER = """
CREATE ROLE dba SUPERUSER; SET ROLE dba;
CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER ev ON ddl_command_end EXECUTE FUNCTION told();
ALTER EVENT TRIGGER ev DISABLE;
CREATE FOREIGN DATA WRAPPER w;
CREATE TYPE kind AS enum ('a', 'b', 'c');
CREATE TABLE spread (kind kind) PARTITION BY HASH (kind);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO spread VALUES ('a'), ('b'), ('c'), ('a');
"""


# What the database's own settings rule while it is filled, and values whose binary form has more than their text.
_UNDER_SETTINGS: LiteralString = """
CREATE TABLE t (at timestamptz, k text CHECK (k = current_setting('app.k'))); INSERT INTO t VALUES
  ('2026-01-01 20:00Z', 'v');
CREATE FUNCTION day(timestamptz) RETURNS date LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1::date; END';
CREATE INDEX ON t (day(at));
CREATE MATERIALIZED VIEW m AS SELECT at::date::text AS day, to_tsvector('Die Katzen laufen') AS words FROM t;
CREATE TYPE kind AS enum ('a'); CREATE DOMAIN own_kind AS kind;
CREATE TABLE odd AS SELECT relacl, 'a'::own_kind AS kind, 'Infinity'::float8 - 'Infinity'::float8 AS nan,
  (ARRAY[1, 2, NULL])[1:2] AS part, 'a & (b & c)'::tsquery AS query, c AS row
  FROM pg_class c WHERE relname = 'pg_class';
CREATE FUNCTION refused() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no DDL: %'', tg_tag; END';
CREATE SUBSCRIPTION feed CONNECTION '' PUBLICATION p WITH (connect = false, slot_name = NONE);
CREATE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2';
CREATE TABLE derived (i int, half int GENERATED ALWAYS AS (half(i)) STORED);
INSERT INTO derived VALUES (3);
CREATE OR REPLACE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1 + 1) / 2';
CREATE TABLE parent (a int, b text); CREATE TABLE child (b text, a int); ALTER TABLE child INHERIT parent;
INSERT INTO child VALUES ('x', 2);
CREATE TABLE papers AS SELECT E'\n\n<a/>'::xml AS paper;
CREATE EXTENSION citext; CREATE TABLE strayed (i int); ALTER EXTENSION citext ADD TABLE strayed;
CREATE ROLE papp; GRANT SET ON PARAMETER log_statement TO papp WITH GRANT OPTION; CREATE TABLE own ();
ALTER TABLE own OWNER TO papp;
CREATE EVENT TRIGGER ev ON ddl_command_start EXECUTE FUNCTION refused();
COMMENT ON EVENT TRIGGER ev IS 'no DDL';
ALTER EVENT TRIGGER ev ENABLE ALWAYS;
"""
_SEEN: LiteralString = """
SELECT (SELECT array_agg(m::text) FROM m), (SELECT count(*) FROM t WHERE day(at) = '2026-01-02'),
  (SELECT odd::text FROM odd),
  (SELECT obj_description(oid, 'pg_event_trigger') || evtenabled::text FROM pg_event_trigger),
  (SELECT ltrim(paper::text, E'\n') FROM papers),
  (SELECT array_agg(p::text ORDER BY a) FROM parent p), (SELECT half(i) FROM derived),
  (SELECT array_agg(parname || paracl::text) FROM pg_parameter_acl)
"""


def test_content_is_restored_under_the_settings_of_its_database_and_past_its_event_triggers(
    environment: Environment, new_server: Server
) -> None:
    old, name = environment.database, "settled"
    environment.execute(f"CREATE DATABASE {name}")
    for setting in ("timezone = 'Asia/Kathmandu'", "default_text_search_config = 'german'", "app.k = 'v'"):
        environment.execute(f"ALTER DATABASE {name} SET {setting}")

    def seen(server: Server) -> tuple[object, ...] | None:
        with connected(server, name) as connection:
            connection.execute("SET enable_seqscan = off")
            return connection.execute(_SEEN).fetchone()

    try:
        with environment.connect(name) as connection:
            for statement in _UNDER_SETTINGS.split(";\n"):
                connection.execute(statement.encode())
        before = seen(old)
        on(environment, old, name)
        saved = environment.ops("backup", "postgres", "--json")
        assert saved.code == 0, saved.stderr
        proven = environment.ops("backups", "verify", "--kind", "postgres", "--id", saved.json["id"], "--json")
        on(environment, new_server, name)
        restored = environment.ops("restore", "postgres", "--id", saved.json["id"], "--yes", "--json")
    finally:
        environment.execute("DROP EVENT TRIGGER IF EXISTS ev", name)
        environment.execute("DROP SUBSCRIPTION IF EXISTS feed", name)
        environment.execute(f"DROP DATABASE {name}")
        environment.execute("REVOKE ALL ON PARAMETER log_statement FROM papp; DROP ROLE papp")

    assert proven.code == 0, proven.stderr
    assert restored.code == 0, restored.stderr
    assert before is not None
    assert before[:2] == (["(2026-01-02,\"'katz':2 'lauf':3\")"], 1)
    assert seen(new_server) == before
    assert [note.partition(":")[0] for note in restored.json["notes"] if note.startswith("extension")] == [
        "extension citext had public.strayed, which it does not make here"
    ]


@pytest.mark.parametrize(("name", "dba"), [("dbname=postgres host=nowhere", "dba"), ("it's \\ own", "another")])
def test_what_a_superuser_owns_whom_the_server_does_not_have_comes_back_under_odd_names_of_databases(
    environment: Environment, new_server: Server, name: str, dba: str
) -> None:
    old = environment.database
    environment.execute(f'CREATE DATABASE "{name}"')
    try:
        environment.execute(_OF_ANOTHER_SUPERUSER.replace("dba", dba), name)
        on(environment, old, name)
        saved = environment.ops("backup", "postgres", "--json")
        assert saved.code == 0, saved.stderr
        proven = environment.ops("backups", "verify", "--kind", "postgres", "--id", saved.json["id"], "--json")
        on(environment, new_server, name)
        restored = environment.ops("restore", "postgres", "--id", saved.json["id"], "--yes", "--json")
    finally:
        environment.execute(f'DROP DATABASE "{name}"')
        environment.execute(f"DROP ROLE {dba}")

    assert proven.code == 0, proven.stderr
    assert restored.code == 0, restored.stderr
    assert any(f"role {dba} was a superuser and is none here" in note for note in restored.json["notes"])
    with connected(new_server, name) as connection:
        assert connection.execute("SELECT count(*) FROM spread").fetchone() == (4,)
        assert connection.execute("SELECT evtname, evtenabled FROM pg_event_trigger").fetchall() == [("ev", "D")]


# A client's encoding and quotes that the database sets for others; a role that reads by the server's own role alone.
_SET_FOR_OTHERS = """
CREATE TABLE t (word text) TABLESPACE faster; INSERT INTO t VALUES ('\u4e2d');
CREATE INDEX ON t (word) TABLESPACE fast;
CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, stopwords = english);
CREATE EXTENSION citext; ALTER FUNCTION citext_eq SECURITY DEFINER; CREATE EXTENSION pg_trgm;
CREATE ROLE watcher LOGIN; GRANT pg_read_all_data TO watcher;
ALTER DATABASE spaced SET client_encoding = 'LATIN1'; ALTER DATABASE spaced SET quote_all_identifiers = on;
"""
_SPACES = """
SELECT c.relname, t.spcname
FROM pg_class c JOIN pg_database d ON d.datname = current_database()
  JOIN pg_tablespace t ON t.oid = coalesce(nullif(c.reltablespace, 0), d.dattablespace)
WHERE c.relname LIKE 't%' AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


def test_tablespaces_come_back_where_the_server_has_them_and_a_note_says_where_it_has_not(
    environment: Environment, new_server: Server
) -> None:
    old = environment.database
    with environment.connect("postgres") as connection:
        connection.execute("SET allow_in_place_tablespaces = on")
        for name in ("fast", "faster"):
            connection.execute(f"CREATE TABLESPACE {name} LOCATION ''".encode())
        connection.execute("CREATE DATABASE spaced TABLESPACE fast")
    environment.execute(_SET_FOR_OTHERS, "spaced")
    on(environment, old, "spaced")
    before = environment.rows(_SPACES, "spaced")
    saved = environment.ops("backup", "postgres", "--json")
    assert saved.code == 0, saved.stderr

    proven = environment.ops("backups", "verify", "--kind", "postgres", "--id", saved.json["id"], "--json")
    here = environment.ops("restore", "postgres", "--yes", "--json")
    after = environment.rows(_SPACES, "spaced")
    on(environment, new_server, "spaced")
    there = environment.ops("restore", "postgres", "--yes", "--json")

    assert [answer.code for answer in (proven, here, there)] == [0, 0, 0], (proven, here, there)
    assert before == after == [("t", "faster"), ("t_word_idx", "fast")]
    assert not [note for note in here.json["notes"] if "tablespace" in note]
    notes = [note for note in there.json["notes"] if "tablespace" in note]
    assert notes == [
        "this server has no tablespace fast: the database lies in the server's own",
        "this server has no tablespace faster: all tables and indexes lie in the database's own",
    ]
    altered = "functions, columns or views of extension citext were altered, and are as it makes them here"
    assert [note for note in there.json["notes"] if "extension" in note] == [altered]
    login = "role watcher is new here and has no login: ALTER ROLE watcher LOGIN PASSWORD, from its Secret"
    assert login in there.json["notes"]
    with connected(new_server, "spaced") as connection:
        connection.execute("SET client_encoding = 'UTF8'")
        assert connection.execute("SELECT word FROM t").fetchall() == [("\u4e2d",)]
        assert connection.execute("SELECT pg_has_role('watcher', 'pg_read_all_data', 'MEMBER')").fetchone() == (True,)


def test_what_postgresql_words_otherwise_after_a_restore_is_restored_as_by_pg_dump_and_psql(
    environment: Environment, new_server: Server
) -> None:
    name = "orders"
    environment.execute(f"CREATE DATABASE {name}")
    environment.execute(_REWORDED, name)
    old, password = environment.database, PASSWORDS["superuser"]
    plain = whole_database.dumped(old, SUPERUSER, password, name)
    on(environment, old, name)
    saved = environment.ops("backup", "postgres", "--json")
    assert saved.code == 0, saved.stderr

    proven = environment.ops("backups", "verify", "--kind", "postgres", "--id", saved.json["id"], "--json")
    on(environment, new_server, name)
    restored = environment.ops("restore", "postgres", "--id", saved.json["id"], "--yes", "--json")

    assert proven.code == 0, proven.stderr
    assert restored.code == 0, restored.stderr
    found = whole_database.comparable(whole_database.dumped(new_server, SUPERUSER, password, name))
    assert found != whole_database.comparable(plain)
    whole_database.replay(new_server, SUPERUSER, password, f"DROP DATABASE {name};\n{plain}")
    assert found == whole_database.comparable(whole_database.dumped(new_server, SUPERUSER, password, name))


def carried(
    environment: Environment, new_server: Server, name: str, statements: LiteralString
) -> tuple[Answer, list[str], list[str]]:
    """Save a new database, restore it on the other server: the answer, and what pg_dump says of both."""
    environment.execute(f"CREATE DATABASE {name}")
    environment.execute(statements, name)
    on(environment, environment.database, name)
    saved = environment.ops("backup", "postgres", "--json")
    assert saved.code == 0, saved.stderr
    on(environment, new_server, name)
    restored = environment.ops("restore", "postgres", "--id", saved.json["id"], "--yes", "--json")
    assert restored.code == 0, restored.stderr
    before, after = (
        whole_database.comparable(whole_database.dumped(server, SUPERUSER, PASSWORDS["superuser"], name))
        for server in (environment.database, new_server)
    )
    return restored, before, after


def test_a_materialized_view_that_names_its_database_has_the_name_that_the_restore_gives_it(
    environment: Environment, new_server: Server
) -> None:
    views: LiteralString = """
        CREATE ROLE namer; CREATE MATERIALIZED VIEW "its name" AS SELECT current_database(), current_catalog, 1 AS same;
        ALTER MATERIALIZED VIEW "its name" OWNER TO namer;
        CREATE MATERIALIZED VIEW empty AS SELECT current_database() WITH NO DATA
    """
    restored, before, after = carried(environment, new_server, "named", views)

    assert after == before
    assert not [note for note in restored.json["notes"] if "view" in note]
    with connected(new_server, "named") as connection:
        assert connection.execute('SELECT * FROM "its name"').fetchall() == [("named", "named", 1)]
        assert connection.execute("SELECT relispopulated FROM pg_class WHERE relname = 'empty'").fetchone() == (False,)


_IN_LATIN1: LiteralString = """
SET client_encoding = 'UTF8'; CREATE ROLE "l\u00f6we"; CREATE ROLE "\u00e4rger" SUPERUSER;
GRANT "l\u00f6we" TO "\u00e4rger";
CREATE TABLE "stra\u00dfe" ("gr\u00f6\u00dfe" text); INSERT INTO "stra\u00dfe" VALUES ('\u00e4\u00f6\u00fc');
ALTER TABLE "stra\u00dfe" OWNER TO "l\u00f6we"; CREATE SCHEMA s AUTHORIZATION "\u00e4rger";
SET SESSION AUTHORIZATION "l\u00f6we"; GRANT SELECT ON "stra\u00dfe" TO "\u00e4rger" WITH GRANT OPTION;
SET SESSION AUTHORIZATION "\u00e4rger"; GRANT SELECT ON "stra\u00dfe" TO PUBLIC GRANTED BY "\u00e4rger";
CREATE VIEW s.v AS TABLE "stra\u00dfe"; COMMENT ON VIEW s.v IS 'sch\u00f6n'
"""


def test_roles_whose_names_are_written_in_latin1_come_back_on_either_server(tmp_path: Path) -> None:
    # Servers of its own: the names are no text to a session in another encoding, which could not drop the roles.
    with ops_environment.running(tmp_path) as environment, ops_environment.postgres() as new_server:
        with environment.connect("postgres") as connection:
            connection.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(sql.Identifier(BACKUP_ROLE)))
        _carry_latin1(environment, new_server)


def _carry_latin1(environment: Environment, new_server: Server) -> None:
    old, name = environment.database, "inlatin1"
    environment.execute(f"CREATE DATABASE {name} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    with environment.connect(name) as connection:
        for statement in _IN_LATIN1.split(";"):
            connection.execute(statement.encode())
    on(environment, old, name)
    saved = environment.ops("backup", "postgres", "--json")
    assert saved.code == 0, saved.stderr
    as_utf8 = (SUPERUSER, PASSWORDS["superuser"], name, "--encoding=UTF8")
    before = whole_database.comparable(whole_database.dumped(old, *as_utf8))

    proven = environment.ops("backups", "verify", "--kind", "postgres", "--id", saved.json["id"], "--json")
    here = environment.ops("restore", "postgres", "--yes", "--json")
    on(environment, new_server, name)
    there = environment.ops("restore", "postgres", "--yes", "--json")
    # One of UTF-8 beside these roles.
    on(environment, old, "postgres")
    beside = environment.ops("backup", "postgres", "--json")
    other = environment.ops("restore", "postgres", "--id", beside.json["id"], "--into", "beside", "--json")

    assert [answer.code for answer in (proven, here, there, other)] == [0, 0, 0, 0], (proven, here, there, other)
    for server in (old, new_server):
        assert whole_database.comparable(whole_database.dumped(server, *as_utf8)) == before
        with connected(server, "postgres") as connection:
            databases = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%\\_restore\\_%'")
            assert databases.fetchall() == []


# The query of one fails by what was added since, and so does the one that reads it.
_VIEWS: LiteralString = """
CREATE ROLE viewer; CREATE TABLE t (i int); INSERT INTO t VALUES (1);
CREATE MATERIALIZED VIEW "a parted" AS SELECT 10 / i AS part FROM t; CREATE MATERIALIZED VIEW on_it AS TABLE "a parted";
CREATE MATERIALIZED VIEW summed AS SELECT sum(i) FROM t;
ALTER MATERIALIZED VIEW "a parted" OWNER TO viewer; GRANT SELECT ON t TO viewer;
INSERT INTO t VALUES (0), (4);
"""


def test_a_materialized_view_whose_query_fails_is_named_and_all_else_comes_back(
    environment: Environment, new_server: Server
) -> None:
    answer, before, after = carried(environment, new_server, "viewed", _VIEWS)

    named = [note for note in answer.json["notes"] if note.startswith("materialized view")]
    assert [note.partition(" is not populated")[0].rpartition(" view ")[2] for note in named] == [
        "public.a parted",
        "public.on_it",
    ]
    assert "ERROR: division by zero" in named[0]
    empty = {'REFRESH MATERIALIZED VIEW public."a parted";', "REFRESH MATERIALIZED VIEW public.on_it;"}
    assert set(before) - set(after) == empty
    assert set(after) <= set(before)
    with connected(new_server, "viewed") as connection:
        assert connection.execute("SELECT * FROM summed").fetchall() == [(5,)]


# Its policies hold for its owner, too; the view has what they let through.
_FORCED: LiteralString = """
CREATE ROLE forced; CREATE SCHEMA AUTHORIZATION forced; SET SESSION AUTHORIZATION forced;
CREATE TABLE forced.t (i int PRIMARY KEY, of text); INSERT INTO forced.t VALUES (1, 'forced'), (2, 'another');
CREATE POLICY own ON forced.t USING (of = current_user);
ALTER TABLE forced.t ENABLE ROW LEVEL SECURITY; ALTER TABLE forced.t FORCE ROW LEVEL SECURITY;
CREATE MATERIALIZED VIEW forced.seen AS TABLE forced.t;
RESET SESSION AUTHORIZATION;
"""


def test_a_materialized_view_has_the_rows_that_policies_show_to_its_owner(
    environment: Environment, new_server: Server
) -> None:
    answer, before, after = carried(environment, new_server, "policed", _FORCED)

    assert after == before
    assert not [note for note in answer.json["notes"] if note.startswith("materialized view")]
    with connected(new_server, "policed") as connection:
        assert connection.execute("SELECT i FROM forced.seen").fetchall() == [(1,)]


# By what it is that comes back.
_KINDS: dict[str, LiteralString] = {
    "base_type": """
        CREATE TYPE word; CREATE FUNCTION word_in(cstring) RETURNS word LANGUAGE internal IMMUTABLE STRICT AS 'textin';
        CREATE FUNCTION word_out(word) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
        CREATE TYPE word (INPUT = word_in, OUTPUT = word_out, LIKE = text); CREATE TYPE unfinished;
        CREATE TABLE words (one word, more word[]); INSERT INTO words VALUES ('a', '{b,c}')
    """,
    # What rules how values and expressions are read.
    "otherwise": """
        CREATE TABLE t (words text[], length interval, seen float8, paper xml);
        CREATE VIEW none AS SELECT 1 = NULL AS x;
        INSERT INTO t VALUES ('{NULL,a}', '1 mon -1 day 00:00:01', 0.1::float8 + 0.2::float8, 'a<b/>c');
        ALTER DATABASE otherwise SET array_nulls = off; ALTER DATABASE otherwise SET transform_null_equals = on;
        ALTER DATABASE otherwise SET IntervalStyle = sql_standard;
        ALTER DATABASE otherwise SET extra_float_digits = -5; ALTER DATABASE otherwise SET xmloption = document;
        ALTER DATABASE otherwise SET standard_conforming_strings = off
    """,
    # The list of an archive says `t part owner of all` of both tables.
    "two_readings": """
        CREATE ROLE "of all"; CREATE ROLE "part owner of all"; CREATE TABLE t (i int); INSERT INTO t VALUES (1);
        CREATE TABLE "t part owner" (i int); ALTER TABLE t OWNER TO "part owner of all";
        ALTER TABLE "t part owner" OWNER TO "of all"; ALTER TABLE t ADD PRIMARY KEY (i)
    """,
    # Into its schema its grantor comes by a right alone, or no more: its grants stay.
    "granted_on": """
        CREATE ROLE giver; CREATE ROLE former; CREATE ROLE taker; CREATE SCHEMA inner_room;
        CREATE TABLE inner_room.t (); GRANT USAGE ON SCHEMA inner_room TO giver, former WITH GRANT OPTION;
        GRANT SELECT ON inner_room.t TO giver, former WITH GRANT OPTION; CREATE TYPE inner_room.kind AS enum ('a');
        GRANT USAGE ON TYPE inner_room.kind TO giver WITH GRANT OPTION;
        SET ROLE giver; GRANT SELECT ON inner_room.t TO taker; GRANT USAGE ON TYPE inner_room.kind TO taker;
        GRANT USAGE ON SCHEMA inner_room TO taker; SET ROLE former; GRANT SELECT ON inner_room.t TO taker;
        RESET ROLE; REVOKE USAGE ON SCHEMA inner_room FROM former
    """,
}


@pytest.mark.parametrize("kind", _KINDS)
def test_each_kind_comes_back_as_pg_dump_says_it_was(environment: Environment, new_server: Server, kind: str) -> None:
    _, before, after = carried(environment, new_server, kind, _KINDS[kind])

    assert after == before


@pytest.mark.parametrize(
    ("saved", "found"),
    [
        ("CHECK (i > 1)", "CHECK (i > 2)"),
        ("CHECK (status = 'new')", "CHECK (state = 'new')"),
        ("name character varying(20)", "name character varying(30)"),
        ("ALTER TABLE t OWNER TO app", "ALTER TABLE t OWNER TO other"),
    ],
)
def test_another_definition_is_no_other_wording(saved: str, found: str) -> None:
    first, second = (
        schema.objects(iter([f"-- Name: t; Type: TABLE; Schema: public; Owner: app\n{text};\n".encode()]))
        for text in (saved, found)
    )
    assert first.keys() == second.keys()
    assert first != second
