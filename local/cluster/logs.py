"""Log files of the daemons: bounded in size, shown and followed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
TAIL_BYTES = 64 * 1024


def rotate(path: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Keep a log that grew beyond `max_bytes` as <name>.1 and empty it; return whether it was.

    The daemon goes on writing to the same open file (it appends), so the file is copied and cut, not renamed.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return False
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        with path.open("r+b") as file:
            file.truncate(0)
    except FileNotFoundError:
        return False
    return True


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines of a log; none where it does not exist."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def follow(path: Path, poll_seconds: float = 0.2) -> Iterator[str]:
    """New text of a log as it comes, for ever; survives its rotation."""
    position = path.stat().st_size if path.exists() else 0
    while True:
        size = path.stat().st_size if path.exists() else 0
        position = 0 if size < position else position
        if size > position:
            with path.open("rb") as file:
                file.seek(position)
                chunk = file.read()
            position += len(chunk)
            yield chunk.decode(errors="replace")
        else:
            time.sleep(poll_seconds)
