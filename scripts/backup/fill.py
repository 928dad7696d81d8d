"""pg_restore fed by the stored object, which is checked once more on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scripts import log
from scripts.backup.transfer import Stored
from scripts.clients import postgres
from scripts.clients.child import Child
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access

# Nothing of the fresh database is needed before the swap, whose commit makes all of it durable at once.
_OPTIONS: Final = "-c synchronous_commit=off -c maintenance_work_mem=256MB"


def fill(stored: Stored, program: Program, access: Access, database: str) -> None:
    """Restore the archive into ``database``; the first error of pg_restore ends it.

    Raises:
        CheckFailedError: the content is not the manifest's, or pg_restore refuses something.
        TemporaryError: the server or the bucket went away.
    """
    arguments = [program.path, "--format=custom", "--exit-on-error", "--no-password", f"--dbname={database}"]
    with postgres.child_login(access, database, "ops restore pg_restore") as (environment, descriptors):
        options = {**environment, "PGOPTIONS": _OPTIONS}
        with Child(arguments, options, descriptors, feeds=True) as child:
            log.info("restore started", database=database, pg_restore=program.version, pid=child.pid)
            blocks = stored.content()
            _feed(child, blocks)
            code, stderr = child.wait()
            if code != 0:
                raise postgres.child_error("pg_restore", code, stderr, database)
            # pg_restore stops after the last entry that it needs; the rest must be what was saved all the same.
            for _ in blocks:
                pass


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
