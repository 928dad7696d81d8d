"""Which archives of an image are no longer wanted: each change of what it is made of leaves one more in the cache."""

import os
import re
from pathlib import Path
from typing import Final

# Enough for a few checkouts that share the cache, and to go back and forth between two commits.
KEPT: Final = 3
_DIGEST: Final = r"[0-9a-f]{12}"


def use(archive: Path) -> bool:
    """Whether the archive is there; from now on it is the one that was used last."""
    try:
        os.utime(archive)
    except FileNotFoundError:
        return False
    return True


def superseded(archives: Path, name: str) -> list[Path]:
    """The archives of the image beside those that were used last, the longest unused first."""
    own = re.compile(rf"{re.escape(name)}-{_DIGEST}\.tar")
    found = [path for path in archives.iterdir() if own.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)[:-KEPT]
