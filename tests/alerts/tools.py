"""Prometheus's and Alertmanager's own judges: promtool and amtool."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def run(tool: str, arguments: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a tool in a folder; what it says is in both streams of the answer."""
    assert shutil.which(tool), f"{tool} is not there; `make test` installs Debian's package of it"
    command = [tool, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
