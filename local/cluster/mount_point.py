"""The one folder that a node mounts over and that Debian's packages do not bring: where CNI keeps its cache.

Its place is fixed in the CNI library. Instances share it, so each running one holds a lock on it, and the last one to
end removes it, if it was made here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

CNI_CACHE = Path("/var/lib/cni")
MARK = ".made-by-crypto-operations"


def hold() -> int:
    """Make the folder where there is none, and keep it for as long as the returned descriptor, and this process, live.

    Raises OSError.
    """
    while True:
        with contextlib.suppress(FileExistsError):
            CNI_CACHE.mkdir(parents=True)
            (CNI_CACHE / MARK).touch()
        # Another instance that ends may remove it at any moment before it is held.
        try:
            descriptor = os.open(CNI_CACHE, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), CNI_CACHE.stat()):
                return descriptor
        os.close(descriptor)


def remove() -> None:
    """Remove the folder where it was made by `hold`, no instance holds it, and nobody put anything into it."""
    try:
        descriptor = os.open(CNI_CACHE, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if [path.name for path in CNI_CACHE.iterdir()] == [MARK]:
            (CNI_CACHE / MARK).unlink()
            CNI_CACHE.rmdir()
    except BlockingIOError:
        # Another instance runs; it will remove the folder when it ends.
        return
    finally:
        os.close(descriptor)
