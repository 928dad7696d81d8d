"""pg_restore fed by the stored object, which is checked once more on the way.

The rows come as one stream. What stands before and after them, such as tables and indexes, comes from the archive's
list: so schemas come first, then extensions in the version that was saved, and indexes several at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scripts import lazy, log
from scripts.backup.postgres_model import Extension
from scripts.backup.toc import Archive
from scripts.clients import postgres
from scripts.clients.child import Child
from scripts.clients.postgres import Access
from scripts.exits import UsageError

# Nothing of the fresh database is needed before the swap, whose commit makes all of it durable at once.
_OPTIONS: Final = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
# Indexes that are built at once, each with workers of the server's own.
_JOBS: Final = 2


def fill(archive: Archive, access: Access, database: str, extensions: tuple[Extension, ...], *, bare: bool) -> None:
    """Restore the archive into ``database``; the first error of pg_restore ends it.

    ``bare`` leaves out owners and rights, whose roles the server may lack.

    Raises:
        CheckFailedError: the content is not the manifest's, or pg_restore refuses something.
        UsageError: the server does not have an extension.
        TemporaryError: the server or the bucket went away.
    """
    # Subscriptions are made by ``properties``: pg_dump gives them to superusers alone, with their secrets.
    arguments = ["--format=custom", "--exit-on-error", "--no-password", "--no-subscriptions", f"--dbname={database}"]
    if bare:
        arguments += ["--no-owner", "--no-privileges"]
    with postgres.child_login(access, database, "ops restore pg_restore") as (environment, descriptors):
        login = {**environment, "PGOPTIONS": f"{environment.get('PGOPTIONS', '')} {_OPTIONS}".strip()}

        def entries(*options: str, schemas: bool = False) -> None:
            with (
                archive.chosen(schemas=schemas) as (chosen, listed),
                archive.reading([*arguments, chosen, *options], (login, (*descriptors, listed))) as child,
            ):
                _await(child, database)

        entries("--section=pre-data", schemas=True)
        _extend(access, database, extensions)
        entries("--section=pre-data")
        with Child([archive.program.path, *arguments, "--section=data"], login, descriptors, feeds=True) as child:
            log.info("restore started", database=database, pg_restore=archive.program.version, pid=child.pid)
            blocks = archive.stream()
            _feed(child, blocks)
            _await(child, database)
            # pg_restore stops after the last entry that it needs; the rest must be what was saved all the same.
            for _ in blocks:
                pass
        log.info("the rows are in; building indexes and constraints", database=database)
        entries("--section=post-data", f"--jobs={_JOBS}")


def _extend(access: Access, database: str, extensions: tuple[Extension, ...]) -> None:
    """Create the extensions in the versions that were saved, where the server has them: an archive names none."""
    with postgres.connect(access, database, application="ops restore", doing=f"extensions of {database}") as session:
        there = {str(row[0]) for row in session.execute("SELECT extname FROM pg_extension").fetchall()}
        query = "SELECT name, version FROM pg_available_extension_versions"
        available = {(str(name), str(version)) for name, version in session.execute(query).fetchall()}
        names = {name for name, _ in available}
        for extension in extensions:
            if extension.name not in names:
                raise UsageError(
                    f"extension {extension.name} {extension.version} is not installed on the server at "
                    f"{access.address}; install its package there, then run again"
                )
            if extension.name in there or (extension.name, extension.version) not in available:
                continue
            statement = lazy.sql.SQL("CREATE EXTENSION {} VERSION {}").format(
                lazy.sql.Identifier(extension.name), extension.version
            )
            # One that is missing now is made by the extension itself.
            if session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (extension.schema_name,)).fetchone():
                statement += lazy.sql.SQL(" SCHEMA {}").format(lazy.sql.Identifier(extension.schema_name))
            session.execute(statement)


def _await(child: Child, database: str) -> None:
    code, stderr = child.wait()
    if code != 0:
        raise postgres.child_error("pg_restore", code, stderr, database)


def _feed(child: Child, blocks: Iterator[bytes]) -> None:
    """Write ``blocks`` to the child until they end or it stops reading."""
    try:
        for block in blocks:
            view = memoryview(block)
            while view:
                view = view[child.pipe.write(view) or 0 :]
        child.pipe.close()
    except BrokenPipeError:
        return
