"""The bodies of S3 objects as files named by their content, so that a snapshot of the state never carries them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO

_CHUNK_BYTES = 1024 * 1024
_IN_MEMORY_BYTES = 1024 * 1024


class StoredBody:
    """One object's body, read from its file on demand; takes the place of the buffer of a moto ``FakeKey``.

    Stored files are shared by content, so a write first gives this body a private copy and drops its digest.
    """

    def __init__(self, path: Path, digest: str, size: int) -> None:
        self._path = path
        self._private: IO[bytes] | None = None
        self._position = 0
        self.digest: str | None = digest
        self.size = size
        self.closed = False

    def seek(self, position: int) -> int:
        self._check_open()
        if self._private is not None:
            return self._private.seek(position)
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        self._check_open()
        if self._private is not None:
            return self._private.read(size)
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read(size)
        self._position += len(data)
        return data

    def write(self, data: bytes) -> int:
        return self._own().write(data)

    def truncate(self) -> int:
        return self._own().truncate()

    def close(self) -> None:
        self.closed = True
        if self._private is not None:
            self._private.close()

    def _own(self) -> IO[bytes]:
        self._check_open()
        if self._private is None:
            private: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - lives as long as the object
            private.write(self._path.read_bytes())
            private.seek(self._position)
            self._private, self.digest = private, None
        return self._private

    def _check_open(self) -> None:
        # moto disposes of a deleted key by closing its buffer and relies on the ValueError that a file would raise.
        if self.closed:
            raise ValueError("I/O operation on closed body")


class BodyStore:
    """A folder of immutable files ``<2 hex>/<sha256>``, written whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        for leftover in root.glob("*.part"):
            leftover.unlink()
        self._known = {path.name for path in root.glob("??/*")}

    def keep(self, buffer: IO[bytes]) -> StoredBody:
        """Copy `buffer` into the store and return the body that reads it back.

        Raises OSError when the disk is full; nothing is visible then.
        """
        buffer.seek(0)
        checksum = hashlib.sha256()
        size = 0
        descriptor, name = tempfile.mkstemp(dir=self._root, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                while chunk := buffer.read(_CHUNK_BYTES):
                    checksum.update(chunk)
                    size += file.write(chunk)
            digest = checksum.hexdigest()
            path = self._path(digest)
            path.parent.mkdir(exist_ok=True)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._known.add(digest)
        return StoredBody(path, digest, size)

    def open(self, digest: str, size: int) -> StoredBody:
        """The stored body `digest`; raises FileNotFoundError or ValueError when its file is gone or cut short."""
        path = self._path(digest)
        found = path.stat().st_size
        if found != size:
            raise ValueError(f"the object body {path} has {found} bytes instead of {size}")
        return StoredBody(path, digest, size)

    def drop_all_but(self, wanted: set[str]) -> int:
        """Remove every body that is not in `wanted` and return how many were removed."""
        unwanted = self._known - wanted
        for digest in unwanted:
            self._path(digest).unlink(missing_ok=True)
        self._known -= unwanted
        return len(unwanted)

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest
