"""PostgreSQL: connections, errors in the terms of this program, and passwords for child processes."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, LiteralString

from runbook.ops_settings import Login, PostgresTarget
from scripts import config, lazy
from scripts.clients import tls
from scripts.exits import CheckFailedError, OpsError, Stop, TemporaryError, UsageError
from scripts.output import one_line

# Where locks are taken and databases are created and renamed: it exists everywhere and is never restored.
MAINTENANCE_DATABASE: Final = "postgres"
_CONNECT_SECONDS: Final = 10
# What a database or a role sets as its default is meant for others: here it would change what is read, or forbid it.
_PINNED: Final = {
    "role": "none",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "row_security": "off",
    "search_path": "",
    "quote_all_identifiers": "off",
    # Else NULL in an array comes back as a text, and `= NULL` in a view as IS NULL.
    "array_nulls": "on",
    "transform_null_equals": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    # A session that lasts as long as a dump must outlive what ends idle sessions.
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
_SESSION: Final = {
    **_PINNED,
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmloption": "content",
    "lc_monetary": "C",
    "lc_messages": "C",
    # A client that vanished must not keep its locks: its session ends within about a minute.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
# For client programs, which read a blank as the end of an option.
_OPTIONS: Final = " ".join("-c " + f"{name}={value}".replace(" ", "\\ ") for name, value in _PINNED.items())
# The view does not show `role`.
_SET: Final = """
SELECT set_config(w.name, w.value, false) FROM unnest(%s::text[], %s::text[]) AS w(name, value)
WHERE w.name = 'role' OR w.name IN (SELECT s.name FROM pg_settings s WHERE s.context = 'user')
"""
_WRONG_LOGIN: Final = re.compile(
    r"password authentication failed|role \".*\" does not exist|database \".*\" does not exist|no pg_hba\.conf entry"
    r"|is not permitted to log in|no password supplied|permission denied for database"
)
# What libpq says of PGSSLROOTCERT and its like, and of a certificate that one of the two sides does not trust.
_WRONG_SETTING: Final = re.compile(
    r"invalid \S+ value: |definition of service \S+ not found|root certificate file|certificate verify failed"
    r"|private key file|could not (read|load) (root )?(certificate|private key)|server does not support SSL"
    r"|server certificate for|SSL error: .*(alert|certificate|unsupported|wrong version)|pg_hba\.conf rejects"
    r"|certificate authentication failed|requires a valid client certificate"
)
_WRONG_TLS: Final = re.compile(
    "certificate verify failed|server does not support SSL|server certificate for|SSL error: .*(alert|wrong version)"
)
_CHECK_TLS: Final = "check postgres.host, postgres.tls and postgres.caFile in the settings"
_TEMPORARY_CLASSES: Final = ("08", "53", "57014", "57P", "55P03", "40", "58")
_CONNECTION_LOST: Final = re.compile(
    r"connection to server|server closed the connection|terminating connection|could not connect"
    r"|starting up|shutting down|SSL SYSCALL|Connection (refused|reset|timed out)|the connection is (closed|lost)"
    r"|could not translate host name|remaining connection slots|too many clients|lock timeout|No space left"
)


@dataclass(frozen=True, slots=True)
class Access:
    """Where a server is, who logs in there, and how libpq is told to encrypt; None: as the environment has it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sslmode: str | None = None
    sslrootcert: str | None = None

    @staticmethod
    def of(target: PostgresTarget, login: Login) -> Access:
        """The access of ``login``; its password is read from its file. Raises UsageError: a file is unusable."""
        if target.ca_file is not None:
            # libpq tells of a file that is not there how to go without it.
            tls.context(target.ca_file, "postgres.caFile")
        # The environment may ask for more than the settings, and for no less.
        asked = os.environ.get("PGSSLMODE", "")
        encrypted = "verify-full" if target.ca_file else asked if asked.startswith("verify-") else "require"
        return Access(
            target.host,
            target.port,
            login.user,
            config.password(login),
            sslmode=encrypted if target.tls else None,
            sslrootcert=target.ca_file,
        )

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@contextmanager
def connect(
    access: Access,
    database: str,
    *,
    application: str,
    doing: str = "",
    autocommit: bool = True,
    seconds: float = _CONNECT_SECONDS,
) -> Generator[lazy.psycopg.Connection]:
    """A connection that is closed at the end, without commit; to connect may take ``seconds``.

    Errors of psycopg become errors of this program; their message names what is being done there (``doing``).

    Raises:
        UsageError: the login is refused, or there is no such database.
        TemporaryError: the server does not answer or has no connection left.
    """
    try:
        connection = lazy.psycopg.connect(
            host=access.host,
            port=access.port,
            user=access.user,
            password=access.password,
            dbname=database,
            application_name=application,
            connect_timeout=max(2, int(seconds)),
            autocommit=autocommit,
            sslmode=access.sslmode,
            sslrootcert=access.sslrootcert,
        )
        with translated(f"PostgreSQL at {access.address}"):
            _prepare(connection)
    except lazy.psycopg.Error as error:
        refused = translate(error, f"PostgreSQL at {access.address}, database {database}, user {access.user}")
        if access.sslmode and _WRONG_TLS.search(str(refused)):
            raise type(refused)(f"{refused}; {_CHECK_TLS}") from None
        raise refused from None
    try:
        with translated(doing or f"PostgreSQL at {access.address}"):
            yield connection
    finally:
        connection.close()


def _prepare(connection: lazy.psycopg.Connection) -> None:
    """Session settings; those that the server is too old to know, or the role may not set, are left alone."""
    # First, lest a short default of the role ends the others.
    connection.execute("SELECT set_config('statement_timeout', '0', false)")
    connection.execute(_SET, (list(_SESSION), list(_SESSION.values())))
    if not connection.autocommit:
        connection.commit()


def names(connection: lazy.psycopg.Connection, query: LiteralString) -> list[str]:
    """Names that all databases of a server share, which a query gives as ``textsend``.

    The server keeps the bytes of the database that made each: one that is no text in this session has surrogates.
    """
    return [bytes(row[0]).decode(errors="surrogateescape") for row in connection.execute(query).fetchall()]


@contextmanager
def translated(what: str) -> Generator[None]:
    """Turn errors of psycopg into errors of this program; the message names ``what``."""
    try:
        yield
    except lazy.psycopg.Error as error:
        raise translate(error, what) from None


@contextmanager
def cancelled(connection: lazy.psycopg.Connection) -> Generator[None]:
    """Tell the server to give up the running statement when this process is told to stop: else it would go on."""
    try:
        yield
    except Stop:
        with suppress(lazy.psycopg.Error):
            connection.cancel_safe(timeout=_CONNECT_SECONDS)
        raise


def translate(error: lazy.psycopg.Error, what: str) -> OpsError:
    """The error in the terms of this program."""
    message = explain(error)
    if (
        _WRONG_LOGIN.search(message)
        or _WRONG_SETTING.search(message)
        or isinstance(error, lazy.psycopg.errors.InsufficientPrivilege)
    ):
        return UsageError(f"{what}: {message}")
    return (TemporaryError if passing(error) else CheckFailedError)(f"{what}: {message}")


def passing(error: lazy.psycopg.Error) -> bool:
    """Whether another attempt may succeed: the connection is lost, the server is full, stops or starts."""
    state = error.sqlstate or ""
    return state.startswith(_TEMPORARY_CLASSES) or (isinstance(error, lazy.psycopg.OperationalError) and not state)


def explain(error: lazy.psycopg.Error) -> str:
    """The server's own words without the statement that led to them."""
    text = error.diag.message_primary or str(error) or type(error).__name__
    lines = (line for line in text.splitlines() if "Is the server running" not in line)
    return one_line(" ".join(lines)).removeprefix("connection failed: ")


def child_error(program: str, code: int, stderr: str, what: str) -> OpsError:
    """Why a PostgreSQL client program ended with ``code``; a negative code is the signal that killed it."""
    if code < 0:
        return TemporaryError(f"{program} of {what} was killed by signal {-code}; run it again")
    reason = one_line(stderr) or f"exit code {code} without a message"
    if _WRONG_LOGIN.search(stderr) or _WRONG_SETTING.search(stderr) or "permission denied" in stderr:
        return UsageError(f"{program} of {what}: {reason}")
    if _CONNECTION_LOST.search(stderr):
        return TemporaryError(f"{program} of {what}: {reason}")
    return CheckFailedError(f"{program} of {what} ended with code {code}: {reason}")


@contextmanager
def child_login(
    access: Access, database: str, application: str
) -> Generator[tuple[Mapping[str, str], tuple[int, ...]]]:
    """Environment and inherited descriptors with which a PostgreSQL client program logs in.

    The password is in an anonymous file in memory: it is in no argument and in no environment, needs no writable
    folder and is gone with the last process that holds it, however that ends.
    """
    escaped = access.password.replace("\\", "\\\\").replace(":", "\\:")
    descriptor = os.memfd_create("pgpass", flags=0)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, f"*:*:*:*:{escaped}\n".encode())
        # What the environment says of TLS holds here as it does for a connection of this process.
        own = {name: value for name, value in os.environ.items() if name.startswith("PGSSL")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | own
        environment = {
            **kept,
            "LC_ALL": "C.UTF-8",
            "PGHOST": access.host,
            "PGPORT": str(access.port),
            "PGUSER": access.user,
            "PGDATABASE": database,
            "PGPASSFILE": f"/proc/self/fd/{descriptor}",
            "PGAPPNAME": application,
            "PGOPTIONS": _OPTIONS,
            "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS),
            **({"PGSSLMODE": access.sslmode} if access.sslmode else {}),
            **({"PGSSLROOTCERT": access.sslrootcert} if access.sslrootcert else {}),
        }
        yield environment, (descriptor,)
    finally:
        os.close(descriptor)
