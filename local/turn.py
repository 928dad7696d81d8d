"""One command at a time changes an instance: `up` waits for its turn, `down` and `clean` are refused."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import TextIO

from local.errors import LocalError
from local.paths import Instance

LOCK = "turn.lock"


@contextmanager
def turn(instance: Instance, command: str, waiting: Callable[[str], None] | None = None) -> Generator[None]:
    """Hold the instance for a command. Where another one has it, ``waiting`` is told so once, and it is waited for.

    The kernel takes the lock from a process that ends, however it does; no child inherits it.

    Raises:
        LocalError: another command has it, and there is no ``waiting``.
    """
    path = instance.state_dir / LOCK
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            _take(file, instance, waiting)
            # The command before may have been `clean`, which removes the file with the whole folder.
            if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                continue
            file.truncate(0)
            file.write(f"process {os.getpid()} (make {command}, since {datetime.now().astimezone():%H:%M:%S})")
            file.flush()
            yield
            return


def _take(file: TextIO, instance: Instance, waiting: Callable[[str], None] | None) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        if waiting is None:
            raise LocalError(
                f"{holder} works on the environment {instance.name}: wait for its end, or stop it with Ctrl-C",
                passing=True,
            ) from None
        waiting(f"{holder} works on the environment {instance.name}: waiting for its end")
        fcntl.flock(file, fcntl.LOCK_EX)
