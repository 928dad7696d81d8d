"""pg_restore fed by the stored object, which is checked once more on the way.

The rows come as one stream. Indexes and constraints follow, several at once, which pg_restore does only from a file:
the archive's head, which lists everything, is kept in memory for it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

from scripts import log
from scripts.backup.transfer import Stored
from scripts.clients import postgres
from scripts.clients.child import Child
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access

# Nothing of the fresh database is needed before the swap, whose commit makes all of it durable at once.
_OPTIONS: Final = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
# The list of an archive takes some hundred bytes an object: this is room for tens of thousands.
_HEAD_BYTES: Final = 16 * 2**20
# Indexes that are built at once, each with workers of the server's own.
_JOBS: Final = 2


def fill(stored: Stored, program: Program, access: Access, database: str) -> None:
    """Restore the archive into ``database``; the first error of pg_restore ends it.

    Raises:
        CheckFailedError: the content is not the manifest's, or pg_restore refuses something.
        TemporaryError: the server or the bucket went away.
    """
    arguments = [program.path, "--format=custom", "--exit-on-error", "--no-password", f"--dbname={database}"]
    with (
        postgres.child_login(access, database, "ops restore pg_restore") as (environment, descriptors),
        _in_memory() as head,
    ):
        options = {**environment, "PGOPTIONS": _OPTIONS}
        sections = ["--section=pre-data", "--section=data"]
        with Child([*arguments, *sections], options, descriptors, feeds=True) as child:
            log.info("restore started", database=database, pg_restore=program.version, pid=child.pid)
            blocks = stored.content()
            _feed(child, _kept(blocks, head))
            _await(child, database)
            # pg_restore stops after the last entry that it needs; the rest must be what was saved all the same.
            for _ in blocks:
                pass
        log.info("the rows are in; building indexes and constraints", database=database)
        later = [*arguments, "--section=post-data"]
        if _lists_everything(program, head):
            parallel = [*later, f"--jobs={_JOBS}", f"/proc/self/fd/{head}"]
            with Child(parallel, options, (*descriptors, head), feeds=False) as child:
                _await(child, database)
        else:
            with Child(later, options, descriptors, feeds=True) as child:
                _feed(child, stored.content())
                _await(child, database)


def _lists_everything(program: Program, head: int) -> bool:
    """Whether the head is long enough for the archive's list."""
    listing = [program.path, "--list", f"/proc/self/fd/{head}"]
    done = subprocess.run(listing, pass_fds=(head,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def _await(child: Child, database: str) -> None:
    code, stderr = child.wait()
    if code != 0:
        raise postgres.child_error("pg_restore", code, stderr, database)


@contextmanager
def _in_memory() -> Generator[int]:
    descriptor = os.memfd_create("archive")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _kept(blocks: Iterator[bytes], head: int) -> Iterator[bytes]:
    """``blocks``, whose first ``_HEAD_BYTES`` are written into ``head`` as well."""
    rest = _HEAD_BYTES
    for block in blocks:
        if rest > 0:
            rest -= os.write(head, memoryview(block)[:rest])
        yield block


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
