"""`python -m local lint-workflows`: actionlint over .github/workflows."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from local import toolchain
from local.errors import LocalError
from local.pulumi_cli import PROJECT_ROOT

NAME: Final = "actionlint"
FOLDER: Final = PROJECT_ROOT / ".github" / "workflows"


def lint() -> int:
    """Prints what is wrong, or how many workflows are well; 1 where something must be mended.

    Raises:
        LocalError: the tool failed, or looked at nothing.
        ToolchainError: the tool cannot be had.
    """
    return judge(toolchain.ensure([NAME])[NAME], FOLDER)


def judge(program: Path, folder: Path) -> int:
    """As ``lint``, with a tool and a folder that are given."""
    files = sorted(map(str, folder.glob("*.yml")))
    if not files:
        raise LocalError(f"{folder} has no workflow to look at")
    # Shell scripts in steps are one-liners here, and shellcheck is on some machines only.
    done = subprocess.run([program, "-shellcheck=", "-pyflakes=", "-no-color", *files], check=False)
    if done.returncode not in (0, 1):
        raise LocalError(f"{NAME} ended with exit code {done.returncode}")
    if done.returncode == 0:
        print(f"{NAME}: {len(files)} workflows are well")
    return done.returncode
