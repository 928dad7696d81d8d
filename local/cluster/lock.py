"""One command at a time may change an instance's cluster."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager

from local.cluster.errors import ClusterError, one_line_errors
from local.cluster.layout import Layout
from local.paths import Instance


@contextmanager
def exclusive(instance: Instance) -> Generator[None]:
    """Hold the instance's lock. Raises ClusterError at once where another command holds it.

    The kernel drops the lock with its holder, so a killed command leaves nothing to clear.
    """
    layout = Layout.of(instance)
    with one_line_errors():
        layout.create()
    with one_line_errors(), layout.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "?"
            raise ClusterError(
                f"another command (process {holder}) is working on the cluster {instance.name}: wait for it to end"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
