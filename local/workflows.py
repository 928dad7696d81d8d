"""`python -m local lint-workflows`: actionlint and zizmor over .github/workflows; neither asks the network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local import toolchain
from local.errors import LocalError
from local.pulumi_cli import PROJECT_ROOT

FOLDER: Final = PROJECT_ROOT / ".github" / "workflows"
ACTIONLINT: Final = "actionlint"
ZIZMOR: Final = "zizmor"
# Shell scripts in steps are one-liners here, and shellcheck is on some machines only.
_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    ACTIONLINT: ("-shellcheck=", "-pyflakes=", "-no-color"),
    ZIZMOR: ("--offline", "--persona=auditor", "--strict-collection", "--no-progress", "--color=never", "--quiet"),
}
# zizmor's exit code says how grave the worst finding is.
_FOUND: Final = {ACTIONLINT: (1,), ZIZMOR: (11, 12, 13, 14)}


def lint() -> int:
    """Prints what is wrong, or how many workflows are well; 1 where something must be mended.

    Raises:
        LocalError: a tool failed, or looked at nothing.
        ToolchainError: a tool cannot be had.
    """
    programs = {
        ACTIONLINT: toolchain.ensure([ACTIONLINT])[ACTIONLINT],
        # Of uv.lock.
        ZIZMOR: Path(sys.executable).with_name(ZIZMOR),
    }
    return max([judge(name, program, FOLDER) for name, program in programs.items()])


def judge(name: str, program: Path, folder: Path) -> int:
    """What one tool says of the workflows in a folder; its findings go to the output.

    Raises:
        LocalError: the tool failed, or looked at nothing.
    """
    files = sorted(map(str, folder.glob("*.yml")))
    if not files:
        raise LocalError(f"{folder} has no workflow to look at")
    done = subprocess.run([program, *_ARGUMENTS[name], *files], check=False)
    if done.returncode == 0:
        print(f"{name}: {len(files)} workflows are well")
        return 0
    if done.returncode not in _FOUND[name]:
        raise LocalError(f"{name} ended with exit code {done.returncode}")
    return 1
