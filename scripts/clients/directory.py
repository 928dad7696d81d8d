"""Documents in a directory: what ``documents.Documents`` is without a bucket."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from scripts.clients.documents import Document
from scripts.clients.s3 import ChangedError
from scripts.exits import UsageError

_LOCK: Final = ".lock"


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """A file that takes the place of ``path`` when the block ends well. Raises OSError: it cannot be written."""
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


class Directory:
    """A ``Store`` of files. Writers take turns, and a reader sees the old text or the new one, never a part."""

    def __init__(self, root: Path) -> None:
        """The store in ``root``, which is made where it does not exist.

        Raises:
            UsageError: it cannot be made or written.
        """
        self._root = root
        with self._errors():
            root.mkdir(parents=True, exist_ok=True)

    def where(self, name: str = "") -> str:
        return str(self._root / name)

    def names(self) -> list[str]:
        with self._errors():
            found = (path.relative_to(self._root) for path in self._root.rglob("*") if path.is_file())
            return sorted(str(path) for path in found if not path.name.startswith("."))

    def read(self, name: str) -> Document | None:
        try:
            with self._errors():
                content = (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        return Document(content.decode("utf-8", "replace"), hashlib.sha256(content).hexdigest())

    def write(self, name: str, text: str, version: str | None) -> None:
        path = self._root / name
        with self._errors(), self._turn():
            found = self.read(name)
            if (None if found is None else found.version) != version:
                raise ChangedError(f"{path} is no longer the file that was looked at, or exists already")
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as target:
                target.write(text.encode())

    def attach(self, name: str, path: Path) -> None:
        beside = self._root / name
        with self._errors():
            beside.parent.mkdir(parents=True, exist_ok=True)
            with replacing(beside) as target, path.open("rb") as source:
                shutil.copyfileobj(source, target)

    @contextmanager
    def _turn(self) -> Generator[None]:
        # The lock belongs to the open file: it ends with the process that holds it.
        with (self._root / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UsageError(f"the directory {self._root}: {error.strerror or error}") from None
