"""Code of owners in their objects, while a database is saved, restored and verified: it has no rights but theirs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from runbook.datastores import BACKUP_ROLE, DATABASE, DATABASE_OWNER
from tests.running.owned import owned_folder
from tests.services import ops_environment
from tests.services.ops_environment import Environment
from tests.services.servers import SUPERUSER, Server

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="no PostgreSQL server is installed"),
]

# What it tries, each by itself: a refused one must not keep it from the next.
_ATTACK: Final = """
CREATE FUNCTION attack(label text) RETURNS boolean LANGUAGE plpgsql AS $f$
DECLARE attempt text;
BEGIN
  RAISE LOG 'code % session % superuser %', label, session_user,
    (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user);
  FOREACH attempt IN ARRAY ARRAY[
    'SELECT pg_catalog.set_config(''role'', ''none'', false)',
    'SET SESSION AUTHORIZATION {superuser}',
    'ALTER ROLE {owner} SUPERUSER',
    'COPY (SELECT pg_catalog.current_setting(''port'')) TO PROGRAM ''cat >> {program}''',
    'COPY (SELECT 1) TO ''{file}''',
    'CREATE TABLE public.stolen AS SELECT pg_catalog.pg_read_file(''PG_VERSION'') AS what',
    'CREATE TABLE public.stolen AS SELECT * FROM vault.secret',
    'ALTER TABLE vault.secret ADD more text'
  ] LOOP
    BEGIN
      EXECUTE attempt;
      RAISE LOG 'code % did %', label, attempt;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  RETURN true;
END $f$
"""
# They say that they change nothing, so that PostgreSQL takes them into indexes and runs them while it plans.
_SLY: Final = (
    """CREATE FUNCTION sly(label text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
       $f$ BEGIN PERFORM public.attack(label); RETURN true; END $f$""",
    """CREATE FUNCTION sly(label text, of int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
       $f$ BEGIN PERFORM public.attack(label); RETURN of; END $f$""",
)
# By the word that each one logs.
_OBJECTS: Final = {
    "check": "CREATE TABLE a (i int CHECK (sly('check'))); INSERT INTO a VALUES (1)",
    "generated": """CREATE TABLE b (i int, j int GENERATED ALWAYS AS (sly('generated', i)) STORED);
        INSERT INTO b VALUES (1)""",
    "domain": "CREATE DOMAIN c_of AS int CHECK (attack('domain')); CREATE TABLE c (i c_of); INSERT INTO c VALUES (1)",
    "value": "CREATE DOMAIN d_of AS int CHECK (attack('value')); CREATE TABLE d (i d_of[] DEFAULT '{1}')",
    "argument": """CREATE DOMAIN e_of AS int CHECK (attack('argument'));
        CREATE FUNCTION e(i e_of[] DEFAULT '{1}') RETURNS int LANGUAGE sql AS 'SELECT 1'""",
    "aggregate": """CREATE DOMAIN f_of AS int CHECK (attack('aggregate'));
        CREATE FUNCTION f_step(f_of[], int) RETURNS f_of[] LANGUAGE sql AS 'SELECT $1';
        CREATE AGGREGATE f(int) (SFUNC = f_step, STYPE = f_of[], INITCOND = '{1}')""",
    "default": "CREATE DOMAIN g_of AS int CHECK (attack('default')); CREATE DOMAIN g AS g_of[] DEFAULT '{1}'",
    "view": "CREATE DOMAIN h_of AS int CHECK (attack('view')); CREATE VIEW h AS SELECT '{1}'::h_of[] AS i",
    "partition": """CREATE TABLE i (i int) PARTITION BY LIST (sly('partition', i));
        CREATE TABLE i_1 PARTITION OF i FOR VALUES IN (1); INSERT INTO i VALUES (1)""",
    "predicate": "CREATE TABLE j (i int); INSERT INTO j VALUES (1); CREATE INDEX ON j (i) WHERE sly('predicate')",
    "expression": "CREATE TABLE k (i int); INSERT INTO k VALUES (1); CREATE INDEX ON k (sly('expression', i))",
    "key": """CREATE TYPE l_of AS ENUM ('one'); CREATE FUNCTION l_int(l_of) RETURNS int LANGUAGE sql IMMUTABLE AS
        $f$ SELECT public.sly('key', 1) $f$; CREATE CAST (l_of AS int) WITH FUNCTION l_int(l_of) AS IMPLICIT;
        CREATE TABLE l (i int PRIMARY KEY); INSERT INTO l VALUES (1);
        CREATE TABLE m (i l_of REFERENCES l); INSERT INTO m VALUES ('one')""",
    "refresh": "CREATE TABLE n AS SELECT 1 AS i; CREATE MATERIALIZED VIEW o AS SELECT sly('refresh', i) FROM n",
}
# Neither a backup nor a restore runs them.
_NEVER: Final = {
    "row": """CREATE TABLE p (i int); INSERT INTO p VALUES (1);
        CREATE FUNCTION p_text(p) RETURNS text LANGUAGE sql IMMUTABLE AS $f$ SELECT public.sly('row', 1)::text $f$;
        CREATE CAST (p AS text) WITH FUNCTION p_text(p)""",
    "path": """CREATE FUNCTION hashtextextended(text, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
        $f$ SELECT public.sly('path', 1)::bigint $f$; ALTER DATABASE {database} SET search_path = public, pg_catalog""",
    "trigger": """CREATE TABLE q (i int); CREATE FUNCTION q_done() RETURNS trigger
        LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.attack('trigger'); RETURN NEW; END $f$;
        CREATE TRIGGER q BEFORE INSERT ON q FOR EACH ROW EXECUTE FUNCTION q_done(); INSERT INTO q VALUES (1)""",
}
_LOGGED: Final = re.compile(r"LOG:  code (\w+) (session (\S+) superuser (\w)|did .*)")


class _Attacked:
    """The environment, where the code would write, and what it logs on the production server."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self._read = 0

    def ran(self) -> list[tuple[str, str, str]]:
        """What ran since the last call: the word of the object, the session's role, and whether it ran as superuser.

        Nothing that it tried may have worked: what it does to its own session protects nothing and gives nothing.
        """
        text = self.environment.database.log.read_text(errors="replace")
        found, self._read = list(_LOGGED.finditer(text, self._read)), len(text)
        assert [match[0] for match in found if match[2].startswith("did") and "set_config" not in match[2]] == []
        return [(match[1], match[3], match[4]) for match in found if not match[2].startswith("did")]

    def roles(self) -> list[tuple[Any, ...]]:
        return self.environment.rows("SELECT rolname, rolsuper, rolcanlogin FROM pg_roles ORDER BY 1", "postgres")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, postgres: Server, s3: Server) -> Iterator[_Attacked]:
    with (
        ops_environment.prepared(tmp_path_factory.mktemp("ops"), postgres, s3) as environment,
        owned_folder(None if os.geteuid() else "postgres") as folder,
    ):
        names = {"{superuser}": SUPERUSER, "{owner}": DATABASE_OWNER}
        places = {"{program}": str(folder / "program"), "{file}": str(folder / "file")}
        attack = _ATTACK
        for name, value in {**names, **places}.items():
            attack = attack.replace(name, value)
        environment.execute("CREATE TABLE users (); CREATE TABLE prices ()", DATABASE)
        environment.execute("CREATE SCHEMA vault; CREATE TABLE vault.secret AS SELECT 1 AS what", DATABASE)
        with environment.connect(role="owner") as connection:
            for statement in (attack, *_SLY, *_OBJECTS.values(), *_NEVER.values()):
                connection.execute(statement.replace("{database}", DATABASE).encode())
        found = _Attacked(environment, folder)
        # Its owner has run each, which shows that it runs.
        assert {word for word, _, _ in found.ran()} == {*_OBJECTS, "trigger"}
        yield found


def test_the_backup_runs_no_code_of_an_owner_with_more_rights_than_its_own(attacked: _Attacked) -> None:
    saved = attacked.environment.ops("backup", "postgres", "--json")

    assert saved.code == 0, saved.stderr
    assert {(word, role) for word, role, _ in attacked.ran()} == {("predicate", BACKUP_ROLE)}
    assert list(attacked.folder.iterdir()) == []


def test_a_restore_runs_the_code_of_owners_without_a_superusers_rights(attacked: _Attacked) -> None:
    attacked.environment.backup()
    before, _ = attacked.roles(), attacked.ran()

    answer = attacked.environment.ops("restore", "postgres", "--yes", "--json")

    assert answer.code == 0, answer.stderr
    ran = attacked.ran()
    assert {word for word, _, _ in ran} == set(_OBJECTS)
    assert {superuser for _, _, superuser in ran} == {"f"}
    # PostgreSQL itself runs ANALYZE as the owner of the table, who cannot leave that.
    assert {word for word, role, _ in ran if role == SUPERUSER} <= {"predicate", "expression"}
    assert attacked.roles() == before
    assert list(attacked.folder.iterdir()) == []


def test_a_verification_runs_no_program_of_an_owner(attacked: _Attacked) -> None:
    attacked.environment.backup()

    answer = attacked.environment.ops("backups", "verify", "--kind", "postgres", "--json")

    assert answer.code == 0, answer.stderr
    assert list(attacked.folder.iterdir()) == []


def test_what_only_a_superuser_may_make_is_refused_by_its_statement_and_nothing_changes(attacked: _Attacked) -> None:
    environment = attacked.environment
    function = "CREATE FUNCTION quiet() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'"
    environment.execute(f"{function}; ALTER FUNCTION quiet OWNER TO {DATABASE_OWNER}", DATABASE)
    environment.backup()
    before = environment.state()

    answer = environment.ops("restore", "postgres", "--yes", "--json")

    environment.execute("DROP FUNCTION quiet", DATABASE)
    assert answer.code == 2, answer.stderr
    assert "CREATE FUNCTION public.quiet()" in answer.json["error"]
    assert "have a superuser own the object, or drop it, and back up again" in answer.json["error"]
    assert environment.state() == before
