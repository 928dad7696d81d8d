"""pg_dump as a stream of bytes that ends well or raises."""

from __future__ import annotations

from collections.abc import Iterator

from scripts import log
from scripts.backup.snapshot import LOCK_WAIT_SECONDS, Snapshot
from scripts.clients import postgres
from scripts.clients.child import Child
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access


def stream(program: Program, access: Access, snapshot: Snapshot) -> Iterator[bytes]:
    """The archive (custom format, not compressed) of the database as ``snapshot`` shows it.

    Raises:
        OpsError: pg_dump ended with anything but success. The end of its output alone is no success: a killed dump
        looks the same.
    """
    database = snapshot.facts.name
    arguments = [
        program.path,
        "--format=custom",
        "--compress=0",
        "--no-password",
        # A database may have another one for its clients, in which not all of its characters can be written.
        f"--encoding={snapshot.facts.encoding}",
        f"--snapshot={snapshot.name}",
        f"--lock-wait-timeout={LOCK_WAIT_SECONDS * 1000}",
    ]
    with (
        postgres.child_login(access, database, "ops backup pg_dump") as (environment, descriptors),
        Child(arguments, environment, descriptors, feeds=False) as child,
    ):
        log.info(
            "dump started", database=database, pg_dump=program.version, pid=child.pid, expected_bytes=snapshot.size
        )
        yield from child.output()
        code, stderr = child.wait()
    if code != 0:
        raise postgres.child_error("pg_dump", code, stderr, database)
