"""PostgreSQL's client programs: which of the installed ones fits a server."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.exits import UsageError

# Debian's pg_dump on PATH is a wrapper that chooses a version by rules of its own: the real ones are asked first.
_DEBIAN: Final = Path("/usr/lib/postgresql")
_VERSION: Final = re.compile(r"\(PostgreSQL\) ((\d+)[^\s]*)")


@dataclass(frozen=True, slots=True)
class Program:
    """A client program with its ``version`` as it prints it and the ``major`` part of that."""

    path: str
    version: str
    major: int


def choose(programs: Iterable[Program], server_major: int) -> Program | None:
    """The oldest program that is not older than the server: a newer one may write what an older server cannot read."""
    return min(
        (program for program in programs if program.major >= server_major),
        key=lambda program: program.major,
        default=None,
    )


def find(name: str, server_major: int) -> Program:
    """The installed program ``name`` for a server of that major version.

    Raises:
        UsageError: none is installed, or each is older than the server.
    """
    installed = [program for path in _paths(name) if (program := _ask(path)) is not None]
    chosen = choose(installed, server_major)
    if chosen is None:
        found = (
            f"only {', '.join(program.version for program in installed)} is installed"
            if installed
            else "none is installed"
        )
        raise UsageError(
            f"{name} must be of version {server_major} or newer, as the server is, and {found}; "
            f"install postgresql-client-{server_major}"
        )
    return chosen


def _paths(name: str) -> list[str]:
    debian = sorted(str(path) for path in _DEBIAN.glob(f"*/bin/{name}"))
    on_path = shutil.which(name)
    return debian or ([on_path] if on_path else [])


def _ask(path: str) -> Program | None:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer)
    return Program(path, match[1], int(match[2])) if match else None
