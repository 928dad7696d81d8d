"""The one error type that the cluster's commands show to a user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from local.errors import LocalError


class ClusterError(LocalError):
    """Something that a user can act on; the message is one line and says what to do."""


@contextmanager
def one_line_errors() -> Generator[None]:
    """Turn what the operating system refuses (a full disk, a read-only folder) into a ClusterError."""
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise ClusterError(f"{error.strerror or error}{where}") from error
