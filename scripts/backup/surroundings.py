"""Reads a database beside its tables: properties, the roles that it names, extensions, sequences, large objects.

The same queries read the database that is saved, under the dump's snapshot, and the one that was restored: what differs
is found by comparing their answers. Every catalogue here can be read by every role.
"""

from __future__ import annotations

from typing import Any, Final

from scripts import lazy
from scripts.backup import fresh
from scripts.backup.postgres_model import (
    DatabaseFacts,
    Extension,
    Grant,
    LargeObjects,
    Membership,
    ParameterRight,
    Role,
    Sequence,
    Setting,
    Subscription,
    Surroundings,
)

# As JSON, because the names of some columns change from release to release.
_DATABASE: Final = """
SELECT to_jsonb(d), pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), shobj_description(d.oid, 'pg_database'),
       nullif(t.spcname, 'pg_default')
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = current_database()
"""
_RIGHTS: Final = """
SELECT CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END, g.privilege_type, g.is_grantable
FROM pg_database d, aclexplode(d.datacl) g WHERE d.datname = current_database() ORDER BY 1, 2, 3
"""
_SETTINGS: Final = """
SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END, split_part(c, '=', 1),
       substr(c, strpos(c, '=') + 1)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
WHERE d.datname = current_database() ORDER BY 1, 2
"""
# Nothing records what the first superuser (10) owns, nor what the members of the server's own roles (below 16384) read.
_ROLES: Final = """
WITH RECURSIVE base AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database()),
named(oid) AS (
  SELECT d.refobjid FROM pg_shdepend d, base WHERE d.refclassid = 'pg_authid'::regclass
    AND (d.dbid = base.oid OR d.dbid = 0 AND d.classid = 'pg_database'::regclass AND d.objid = base.oid)
  UNION SELECT datdba FROM base
  UNION SELECT s.setrole FROM pg_db_role_setting s, base WHERE s.setdatabase = base.oid AND s.setrole <> 0
  UNION SELECT m.member FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
    WHERE r.rolname IN ('pg_read_all_data', 'pg_write_all_data')
  UNION SELECT 10::oid WHERE EXISTS (
    SELECT FROM (
      SELECT 'pg_class'::regclass AS class, oid, relowner AS owner FROM pg_class
      UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
      UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_type
      UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace
    ) o WHERE o.oid >= 16384 AND o.owner = 10 AND NOT EXISTS (
      SELECT FROM pg_depend e WHERE e.classid = o.class AND e.objid = o.oid AND e.deptype = 'e'))
),
above(oid) AS (SELECT oid FROM named UNION SELECT m.roleid FROM pg_auth_members m JOIN above a ON m.member = a.oid),
below(oid) AS (
  SELECT oid FROM named
  UNION SELECT m.member FROM pg_auth_members m JOIN below b ON m.roleid = b.oid AND b.oid >= 16384
),
involved AS (SELECT oid FROM above UNION SELECT oid FROM below)
"""
_ROLE_FACTS: Final = f"""{_ROLES}
SELECT to_jsonb(r), shobj_description(r.oid, 'pg_authid') FROM pg_roles r JOIN involved USING (oid)
WHERE r.rolname !~ '^pg_' ORDER BY r.rolname
"""  # noqa: S608 - a constant
_MEMBERSHIPS: Final = f"""{_ROLES}
SELECT pg_get_userbyid(m.roleid), pg_get_userbyid(m.member), bool_or(m.admin_option),
       bool_or((to_jsonb(m) ->> 'inherit_option')::boolean), bool_or((to_jsonb(m) ->> 'set_option')::boolean)
FROM pg_auth_members m WHERE m.roleid IN (SELECT oid FROM involved) AND m.member IN (SELECT oid FROM involved)
GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - a constant
_PARAMETERS_SINCE: Final = 150000
_PARAMETERS: Final = f"""{_ROLES}
SELECT p.parname, pg_get_userbyid(g.grantee), g.privilege_type, g.is_grantable
FROM pg_parameter_acl p, aclexplode(p.paracl) g WHERE g.grantee IN (SELECT oid FROM involved WHERE oid >= 16384)
ORDER BY 1, 2, 3
"""  # noqa: S608 - a constant
# In the order in which they were made: what one needs stands before it.
_EXTENSIONS: Final = """
WITH members AS (
  SELECT refobjid AS extension, classid, objid FROM pg_depend
  WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
),
said(extension, said) AS (
  SELECT extension, format('%s %s', p.oid::regprocedure, to_jsonb(p) - ARRAY['oid', 'pronamespace', 'proowner',
    'proacl', 'prolang', 'prorettype', 'proargtypes', 'proallargtypes', 'prosupport', 'provariadic', 'protrftypes',
    'proargdefaults', 'prosqlbody'])
  FROM members JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
  UNION ALL
  SELECT extension, format('%s %s %s %s', objid::regclass, attname, format_type(atttypid, atttypmod), attnotnull)
  FROM members JOIN pg_attribute ON classid = 'pg_class'::regclass AND objid = attrelid AND attnum > 0
  UNION ALL
  SELECT extension, pg_get_viewdef(v.oid)
  FROM members JOIN pg_class v ON classid = 'pg_class'::regclass AND objid = v.oid AND v.relkind = 'v'
),
digests AS (SELECT extension, md5(string_agg(said, ' ' ORDER BY said COLLATE "C")) AS digest FROM said GROUP BY 1)
SELECT e.extname, e.extversion, n.nspname, pg_get_userbyid(e.extowner), d.digest, ARRAY(
  SELECT objid::regclass::text FROM members JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid
  WHERE extension = e.oid AND c.relkind IN ('r', 'p') ORDER BY 1)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace LEFT JOIN digests d ON d.extension = e.oid
ORDER BY e.oid
"""
_SEQUENCES: Final = """
SELECT n.nspname, c.relname, pg_sequence_last_value(c.oid), s.seqincrement
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""
# A megabyte at a time: a large object may have 4 TB, and a value 1 GB.
_LARGE_OBJECTS: Final = """
SELECT count(DISTINCT o.oid), coalesce(sum(length(o.piece)), 0),
       coalesce(sum(hashtextextended(o.oid || ' ' || o.at || ' ' || md5(o.piece), 0)), 0)::text
FROM (
  SELECT m.oid, at, lo_get(m.oid, at, 1048576) AS piece
  FROM pg_largeobject_metadata m,
       LATERAL (SELECT lo_lseek64(lo_open(m.oid, 262144), 0, 2) AS size OFFSET 0) l,
       LATERAL generate_series(0, greatest(l.size - 1, 0), 1048576) at
) o
"""
# Column by column, because its connection string is a secret that not every role may read.
_SUBSCRIPTIONS: Final = """
SELECT s.subname, s.subpublications, pg_get_userbyid(s.subowner), obj_description(s.oid, 'pg_subscription'),
       s.subslotname, jsonb_build_object({options})
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() ORDER BY 1
"""
# Columns and the option that each of them keeps; older releases have fewer.
_SUBSCRIPTION_OPTIONS: Final = {
    "subbinary": "binary",
    "substream": "streaming",
    "subsynccommit": "synchronous_commit",
    "subtwophasestate": "two_phase",
    "subdisableonerr": "disable_on_error",
    "subpasswordrequired": "password_required",
    "subrunasowner": "run_as_owner",
    "suborigin": "origin",
    "subfailover": "failover",
}
_COLUMNS: Final = """
SELECT attname FROM pg_attribute WHERE attrelid = 'pg_subscription'::regclass AND attname = ANY(%s) ORDER BY attnum
"""
# Some columns keep a letter for a value; a two-phase commit that is pending was asked for.
_LETTERS: Final = {
    "substream": {"t": "on", "f": "off", "p": "parallel"},
    "subtwophasestate": {"d": "off", "p": "on", "e": "on"},
}
_USER_MAPPINGS: Final = "SELECT srvname || ' for ' || usename FROM pg_user_mappings ORDER BY 1"


def facts(connection: lazy.psycopg.Connection) -> DatabaseFacts:
    """The properties of the connection's database."""
    row = connection.execute(_DATABASE).fetchone()
    if row is None:
        raise LookupError("a connection has a database")
    found, owner, encoding, comment, tablespace = row
    explicit = found["datacl"] is not None
    return DatabaseFacts(
        name=found["datname"],
        owner=owner,
        encoding=encoding,
        collate=found["datcollate"],
        ctype=found["datctype"],
        provider=found.get("datlocprovider", "c"),
        # 15 and 16 call it daticulocale.
        locale=found.get("datlocale") or found.get("daticulocale"),
        icu_rules=found.get("daticurules"),
        collation_version=found.get("datcollversion"),
        connection_limit=found["datconnlimit"],
        tablespace=tablespace,
        template=found["datistemplate"],
        comment=comment,
        rights=tuple(_grants(connection)) if explicit else None,
        settings=tuple(
            Setting(role=role, name=name, value=value) for role, name, value in connection.execute(_SETTINGS).fetchall()
        ),
    )


def read(connection: lazy.psycopg.Connection) -> Surroundings:
    """What the connection's database needs around it."""
    return Surroundings(
        # Stand-ins of a restore that is running belong to no database.
        roles=tuple(
            _role(found, comment)
            for found, comment in connection.execute(_ROLE_FACTS.encode()).fetchall()
            if not fresh.is_name_of_any(found["rolname"])
        ),
        memberships=tuple(
            Membership(role=role, member=member, admin=admin, inherit=inherit, set=may_set)
            for role, member, admin, inherit, may_set in connection.execute(_MEMBERSHIPS.encode()).fetchall()
            if not fresh.is_name_of_any(member)
        ),
        extensions=tuple(
            Extension(
                name=name, version=version, schema_name=schema, owner=owner, members=members, tables=tuple(tables)
            )
            for name, version, schema, owner, members, tables in connection.execute(_EXTENSIONS).fetchall()
        ),
        sequences=tuple(
            Sequence(schema_name=schema, name=name, value=value, increment=increment)
            for schema, name, value, increment in connection.execute(_SEQUENCES).fetchall()
        ),
        subscriptions=tuple(
            Subscription(
                name=name,
                publications=tuple(publications),
                options=_options(options),
                slot=slot,
                owner=owner,
                comment=comment,
            )
            for name, publications, owner, comment, slot, options in _subscriptions(connection)
        ),
        parameters=_parameters(connection),
        user_mappings=tuple(str(row[0]) for row in connection.execute(_USER_MAPPINGS).fetchall()),
    )


def large_objects(connection: lazy.psycopg.Connection) -> LargeObjects:
    """All large objects, read whole; the caller has seen to it that it may."""
    count, size, checksum = connection.execute(_LARGE_OBJECTS).fetchone() or (0, 0, "0")
    return LargeObjects(count=count, bytes=int(size), checksum=checksum)


def _subscriptions(
    connection: lazy.psycopg.Connection,
) -> list[tuple[str, list[str], str, str | None, str | None, dict[str, object]]]:
    found = connection.execute(_COLUMNS, (list(_SUBSCRIPTION_OPTIONS),)).fetchall()
    pairs = lazy.sql.SQL(", ").join(
        lazy.sql.SQL("{}, {}").format(lazy.sql.Literal(name), lazy.sql.Identifier("s", name)) for (name,) in found
    )
    return connection.execute(lazy.sql.SQL(_SUBSCRIPTIONS).format(options=pairs)).fetchall()


def _parameters(connection: lazy.psycopg.Connection) -> tuple[ParameterRight, ...]:
    if connection.info.server_version < _PARAMETERS_SINCE:
        return ()
    return tuple(
        ParameterRight(parameter=parameter, grantee=grantee, privilege=privilege, grantable=grantable)
        for parameter, grantee, privilege, grantable in connection.execute(_PARAMETERS.encode()).fetchall()
        if not fresh.is_name_of_any(grantee)
    )


def _options(found: dict[str, object]) -> dict[str, str]:
    """The options of CREATE SUBSCRIPTION that its columns keep."""
    words = {True: "on", False: "off"}
    options: dict[str, str] = {}
    for column, value in found.items():
        word = words[value] if isinstance(value, bool) else str(value)
        options[_SUBSCRIPTION_OPTIONS[column]] = _LETTERS.get(column, {}).get(word, word)
    return options


def _grants(connection: lazy.psycopg.Connection) -> list[Grant]:
    rows = connection.execute(_RIGHTS).fetchall()
    return [Grant(grantee=grantee, privilege=privilege, grantable=grantable) for grantee, privilege, grantable in rows]


def _role(found: dict[str, Any], comment: str | None) -> Role:
    settings = [text.partition("=") for text in found["rolconfig"] or ()]
    return Role(
        name=found["rolname"],
        superuser=found["rolsuper"],
        inherit=found["rolinherit"],
        create_role=found["rolcreaterole"],
        create_db=found["rolcreatedb"],
        login=found["rolcanlogin"],
        replication=found["rolreplication"],
        bypass_rls=found["rolbypassrls"],
        connection_limit=found["rolconnlimit"],
        valid_until=found["rolvaliduntil"],
        comment=comment,
        settings=tuple(Setting(role=None, name=name, value=value) for name, _, value in settings),
    )
