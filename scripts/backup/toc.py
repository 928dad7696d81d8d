"""An archive of pg_dump while it streams: its list of contents, which stands at its beginning, is kept in memory.

pg_restore reads rows from a stream, but chooses entries and works in parallel only with a file: the beginning is one,
and everything but rows is in it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from scripts.backup.entries import Entry
from scripts.backup.transfer import Stored
from scripts.clients import postgres
from scripts.clients.child import Child
from scripts.clients.pgtools import Program
from scripts.exits import CheckFailedError

# Where the list is tried first, and how long it may be at most: an entry takes some hundred bytes.
_FIRST_BYTES: Final = 2**20
_MOST_BYTES: Final = 512 * 2**20
_VERSION: Final = re.compile(r"Dumped by pg_dump version: (\S+)")


class Archive:
    """An archive whose list of contents has been read; ``dump_version`` is that of the pg_dump which made it.

    ``codec`` is Python's name of the encoding of its texts. ``options`` are those that each pg_restore over it gets,
    and each pg_dump that is compared with it.
    """

    def __init__(self, program: Program, head: int, listing: bytes, rest: Iterator[bytes], codec: str) -> None:
        self.program = program
        self.codec = codec
        self._head = head
        self._rest = rest
        self.options: tuple[str, ...] = ()
        self.entries = self._parsed(listing)
        match = _VERSION.search(listing.decode(errors="replace"))
        self.dump_version = match[1] if match is not None else "unknown"

    def stream(self) -> Iterator[bytes]:
        """All of it, once; at its end what was read has been compared with the manifest."""
        size = os.fstat(self._head).st_size
        at = 0
        while at < size:
            block = os.pread(self._head, _FIRST_BYTES, at)
            at += len(block)
            yield block
        yield from self._rest

    def reading(
        self, arguments: Sequence[str], login: tuple[dict[str, str], tuple[int, ...]]
    ) -> AbstractContextManager[Child]:
        """pg_restore over everything but the rows."""
        environment, descriptors = login
        command = [self.program.path, *arguments, f"/proc/self/fd/{self._head}"]
        return Child(command, environment, (*descriptors, self._head), feeds=False)

    def script(self, arguments: Sequence[str], *descriptors: int) -> Iterator[bytes]:
        """The SQL that pg_restore writes instead of running it, in pieces."""
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        with self.reading([*arguments, "--file=-"], (environment, descriptors)) as child:
            yield from child.output()
            code, stderr = child.wait()
        if code != 0:
            raise postgres.child_error("pg_restore", code, stderr, "the archive's schema")

    def section(self, name: str) -> tuple[Entry, ...]:
        """The entries of a section: ``pre-data``, ``data`` or ``post-data``."""
        listing, reason = _list(self.program, self._head, f"--section={name}")
        if listing is None:
            raise CheckFailedError(f"pg_restore cannot list the {name} of the archive: {reason}")
        return self._parsed(listing)

    def _parsed(self, listing: bytes) -> tuple[Entry, ...]:
        return parsed(listing.decode(self.codec, errors="surrogateescape"))


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text that comes in pieces, with their ends."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def parsed(listing: str) -> tuple[Entry, ...]:
    """The entries of a list; a name in it may have any character but those that end a line."""
    return tuple(entry for line in listing.split("\n") if (entry := Entry.parse(line)) is not None)


@contextmanager
def chosen(entries: Iterable[Entry]) -> Generator[tuple[str, int]]:
    """The option that has pg_restore take ``entries`` alone, in their order, and the descriptor that it names."""
    descriptor = os.memfd_create("list")
    try:
        os.write(descriptor, "".join(f"{entry.line}\n" for entry in entries).encode(errors="surrogateescape"))
        yield f"--use-list=/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened(stored: Stored, program: Program, codec: str) -> Generator[Archive]:
    """The archive of a backup, read as far as its list goes; ``codec`` is that of its texts.

    Raises:
        CheckFailedError: it is no archive, or its list is larger than any database needs.
    """
    blocks = stored.content()
    head = os.memfd_create("archive")
    try:
        listing = _read_list(blocks, program, head, stored.damaged)
        yield Archive(program, head, listing, blocks, codec)
    finally:
        os.close(head)


def _read_list(
    blocks: Iterator[bytes], program: Program, head: int, damaged: Callable[[str], CheckFailedError]
) -> bytes:
    size, tried = 0, _FIRST_BYTES
    for block in blocks:
        size += os.write(head, block)
        if size >= tried:
            listing, _ = _list(program, head)
            if listing is not None:
                return listing
            tried *= 2
        if size > _MOST_BYTES:
            raise damaged("its list of contents does not end")
    listing, reason = _list(program, head)
    if listing is None:
        raise damaged(f"pg_restore cannot read it: {reason}")
    return listing


def _list(program: Program, head: int, *options: str) -> tuple[bytes | None, str]:
    command = [program.path, "--list", *options, f"/proc/self/fd/{head}"]
    done = subprocess.run(command, pass_fds=(head,), capture_output=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.decode(errors="replace").strip()
    return done.stdout, ""
