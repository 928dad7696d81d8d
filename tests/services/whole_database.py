"""A database with something of everything that PostgreSQL has, and how two databases are compared by pg_dump itself."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.services.servers import Server, postgres_programs

# Each may be left out; an entry needs the ones that it names before it.
ROLES: Final = (
    'CREATE ROLE "App Group" NOLOGIN CREATEDB',
    "CREATE ROLE app LOGIN CONNECTION LIMIT 7 VALID UNTIL '2031-01-01 00:00:00+00'",
    'GRANT "App Group" TO app',
    "CREATE ROLE reader LOGIN NOINHERIT",
    "GRANT pg_monitor TO reader",
    "CREATE ROLE auditor NOLOGIN BYPASSRLS",
    "COMMENT ON ROLE auditor IS 'reads all, ''quoted'''",
    "ALTER ROLE reader SET work_mem = '5MB'",
    "ALTER ROLE reader SET search_path = '$user', \"My Schema\"",
)
DROP_ROLES: Final = 'DROP ROLE IF EXISTS app, reader, auditor, "App Group"'
PROPERTIES: Final = (
    "REVOKE CONNECT ON DATABASE {} FROM PUBLIC",
    "GRANT CONNECT, TEMPORARY ON DATABASE {} TO reader WITH GRANT OPTION",
    'GRANT CREATE ON DATABASE {} TO "App Group"',
    "ALTER DATABASE {} SET timezone = 'Asia/Kathmandu'",
    "ALTER DATABASE {} SET search_path = '$user', \"My Schema\", public",
    "ALTER DATABASE {} SET default_transaction_read_only = on",
    "ALTER DATABASE {} SET \"DateStyle\" = 'German'",
    "ALTER DATABASE {} SET extra.setting = 'it''s = this'",
    "ALTER DATABASE {} CONNECTION LIMIT 40",
    "COMMENT ON DATABASE {} IS 'with a ''quote'' and a \\ backslash'",
    "ALTER ROLE app IN DATABASE {} SET role = 'App Group'",
    "ALTER ROLE reader IN DATABASE {} SET statement_timeout = '3s'",
    "ALTER DATABASE {} IS_TEMPLATE true",
)
OBJECTS: Final = (
    'CREATE SCHEMA "My Schema" AUTHORIZATION "App Group"; GRANT USAGE ON SCHEMA "My Schema" TO reader',
    "CREATE SCHEMA ext; CREATE EXTENSION pg_trgm SCHEMA ext VERSION '1.5'; CREATE EXTENSION citext",
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s'); CREATE TYPE pair AS (a int, \"B\" text)",
    "CREATE DOMAIN percent AS numeric CHECK (VALUE BETWEEN 0 AND 100) DEFAULT 5",
    "CREATE TYPE span AS RANGE (subtype = float8)",
    "CREATE COLLATION natural_order (provider = icu, locale = 'en-u-kn-true')",
    'CREATE TABLE "Quoted ""Name""" ("select" int, "ä" text, "a b" mood[], p pair)',
    """CREATE TABLE kinds (i int2, b bool, n numeric(20,5), f float8, r real, d date, ts timestamptz, iv interval,
       j json, jb jsonb, x xml, u uuid, ip inet, m macaddr, bits bit varying(9), ts_v tsvector, pt point, by bytea,
       money money, sp span, multi int4multirange, ct citext, dom percent, e mood, arr text[][], reg regclass)""",
    """INSERT INTO kinds SELECT i, i % 2 = 0, i / 7.0, i / 3.0, i / 3.0, '2026-01-01'::date + i,
       '2026-03-29 02:30+01'::timestamptz + i * interval '1 h', make_interval(hours => i, days => 3), '{"a":  1}',
       jsonb_build_object('i', i), '<a/>', md5(i::text)::uuid, '10.0.0.1', '08:00:2b:01:02:03', B'101', 'a b:2',
       point(i, 0.1), decode(md5(i::text), 'hex'), i::text::money, span(i, i + 0.1), '{[1,3), [5,9)}', 'Ab', 50, 'ok',
       ARRAY[ARRAY['x', NULL], ARRAY[E'y\\n', '"']], 'pg_class' FROM generate_series(1, 50) i""",
    "INSERT INTO kinds SELECT (kinds).* FROM kinds LIMIT 3; INSERT INTO kinds DEFAULT VALUES",
    """CREATE TABLE identified (id int GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 3), a int,
       twice int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (id))""",
    "INSERT INTO identified (a) SELECT generate_series(1, 20)",
    """CREATE TABLE parent (id int, at date NOT NULL, region text) PARTITION BY RANGE (at);
       CREATE TABLE parent_old PARTITION OF parent FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
       CREATE TABLE parent_new PARTITION OF parent FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)
         PARTITION BY LIST (region);
       CREATE TABLE parent_rest PARTITION OF parent_new DEFAULT; CREATE INDEX ON parent (at, region);
       INSERT INTO parent SELECT i, '2025-12-01'::date + i, 'r' || i % 3 FROM generate_series(1, 90) i""",
    "CREATE TABLE base (id int); CREATE TABLE derived (more text) INHERITS (base); INSERT INTO derived VALUES (1, 'x')",
    "CREATE TABLE strange (); CREATE UNLOGGED TABLE hasty (t text); INSERT INTO hasty VALUES ('kept')",
    """CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1) || chr(33)';
       CREATE FUNCTION shout(int) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN
-- Name: not a header; Type: TABLE; Schema: public; Owner: app
         RETURN $1; END $f$;
       CREATE PROCEDURE nothing() LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_temp AS 'BEGIN END'""",
    "CREATE AGGREGATE longest(text) (SFUNC = textcat, STYPE = text, INITCOND = '')",
    "CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
    """CREATE FUNCTION level(mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT length($1::text)';
       CREATE CAST (mood AS int) WITH FUNCTION level(mood)""",
    """CREATE TABLE people (id serial PRIMARY KEY, name text COLLATE natural_order UNIQUE, boss int REFERENCES people,
       share percent, CHECK (name <> ''), EXCLUDE USING gist (box(point(id, id), point(id, id)) WITH &&))""",
    "INSERT INTO people (name, boss) SELECT 'a' || i, NULLIF(i - 1, 0) FROM generate_series(1, 30) i",
    "CREATE INDEX loud ON people (shout(name)) WHERE share > 1; CREATE STATISTICS id_and_name ON id, name FROM people",
    "CREATE INDEX trigrams ON people USING gin (name ext.gin_trgm_ops)",
    """CREATE VIEW seen AS SELECT * FROM people WHERE share = 5 WITH CASCADED CHECK OPTION;
       CREATE VIEW barrier WITH (security_barrier) AS SELECT id FROM people;
       CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM people; CREATE UNIQUE INDEX ON counted (n);
       CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
       CREATE RECURSIVE VIEW chain (id) AS SELECT 1 UNION SELECT p.id FROM people p JOIN chain c ON p.boss = c.id""",
    """CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $f$
         BEGIN NEW.name := lower(NEW.name); RETURN NEW; END $f$;
       CREATE TRIGGER noted BEFORE UPDATE ON people FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION noted();
       ALTER TABLE people DISABLE TRIGGER noted;
       CREATE CONSTRAINT TRIGGER late AFTER INSERT ON people DEFERRABLE FOR EACH ROW EXECUTE FUNCTION noted()""",
    "CREATE RULE ignored AS ON DELETE TO hasty DO INSTEAD NOTHING",
    """ALTER TABLE people ENABLE ROW LEVEL SECURITY; ALTER TABLE people FORCE ROW LEVEL SECURITY;
       CREATE POLICY own ON people FOR SELECT TO reader USING (name = current_user)""",
    """GRANT SELECT (id), UPDATE (name) ON people TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor;
       ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO reader;
       ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
       REVOKE EXECUTE ON FUNCTION shout(text) FROM PUBLIC; GRANT EXECUTE ON FUNCTION shout(text) TO app;
       GRANT USAGE ON TYPE mood TO reader WITH GRANT OPTION""",
    'ALTER TABLE people OWNER TO app; ALTER FUNCTION shout(int) OWNER TO "App Group"',
    """CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere');
       CREATE FOREIGN TABLE far (id int OPTIONS (column_name 'other'), n text) SERVER away OPTIONS (table_name 'x');
       GRANT USAGE ON FOREIGN SERVER away TO app; CREATE USER MAPPING FOR app SERVER away""",
    """CREATE PUBLICATION two FOR TABLE people (id, name), identified WHERE (id > 3) WITH (publish = 'insert');
       CREATE PUBLICATION one_schema FOR TABLES IN SCHEMA "My Schema"; CREATE PUBLICATION all_of_it FOR ALL TABLES""",
    """CREATE SEQUENCE down INCREMENT -2 START 100 MAXVALUE 100; SELECT nextval('down');
       CREATE SEQUENCE "Never Used" AS smallint CYCLE; CREATE SEQUENCE set_back;
       SELECT setval('set_back', 41, false)""",
    """SELECT lo_from_bytea(4711, decode(repeat('abcdef', 300000), 'hex')); SELECT lo_from_bytea(4712, '');
       ALTER LARGE OBJECT 4711 OWNER TO app""",
    """CREATE TEXT SEARCH CONFIGURATION simple_too (COPY = simple);
       COMMENT ON COLUMN people.name IS E'it''s\\n-- Name: x; Type: y; Schema: z; Owner: w\\n';
       COMMENT ON FUNCTION shout(text) IS 'loud'""",
    """CREATE FUNCTION seen_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
       CREATE EVENT TRIGGER watching ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION seen_ddl()""",
)


_IDENTIFIER: Final = r'("(?:[^"]|"")+"|\w+)'
_STATEMENT: Final = re.compile(
    rf"^(?:CREATE ROLE|ALTER ROLE|COMMENT ON ROLE|GRANT) {_IDENTIFIER}(?: TO {_IDENTIFIER})?.*?;$",
    re.MULTILINE | re.DOTALL,
)
_SERVERS_OWN: Final = {"pg_monitor", "pg_read_all_data"}


def dumped(server: Server, user: str, password: str, database: str, *options: str) -> str:
    """All of a database by pg_dump: how it is created, its schema, its rows in a stable order, its large objects."""
    return _run(server, user, password, ["pg_dump", "--create", "--column-inserts", *options, database])


def roles(server: Server, user: str, password: str, names: Sequence[str]) -> list[str]:
    """What pg_dumpall says of roles and of their memberships; they have no login and no password after a restore."""
    text = _run(server, user, password, ["pg_dumpall", "--roles-only", "--no-role-passwords"])
    known = {name for plain in names for name in (plain, '"' + plain.replace('"', '""') + '"')} | _SERVERS_OWN
    found = [match for match in _STATEMENT.finditer(text) if set(filter(None, match.groups())) <= known]
    return sorted(re.sub(r" (NO)?LOGIN", "", match[0]) for match in found)


def _run(server: Server, user: str, password: str, command: Sequence[str], said: str | None = None) -> str:
    programs = postgres_programs()
    assert programs is not None
    environment = {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": user, "PGPASSWORD": password}
    program = str(Path(programs) / command[0])
    done = subprocess.run(
        [program, *command[1:]], env=environment, input=said, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def replay(server: Server, user: str, password: str, text: str) -> None:
    """Give a dump to psql; each error ends it."""
    _run(server, user, password, ["psql", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=postgres"], text)


def comparable(text: str) -> list[str]:
    """The lines of a dump without remarks; rows of a table and settings of a database have no order."""
    lines = (line for line in text.splitlines() if line and not re.match(r"--|\\(un)?restrict ", line))
    return sorted(lines)
