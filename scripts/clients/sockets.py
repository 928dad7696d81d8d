"""Sockets in folders whose names are long: the address of a socket has room for 107 bytes."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scripts.exits import UsageError


@contextmanager
def reachable(folder: Path) -> Generator[str]:
    """A short name of ``folder`` while the block runs, for this process and those that it starts.

    Raises:
        UsageError: there is no such folder.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; give the folder of the throwaway servers (--scratch)") from None
    try:
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
