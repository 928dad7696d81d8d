"""Tools that are installed already: found on PATH, judged by what they print about themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from local.toolchain.versions import Group, Tool, Toolchain

_VERSION = re.compile(r"(?<![\d.])v?(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)")
_PATIENCE_SECONDS = 20.0


def version_in(output: str) -> str | None:
    """The first version x.y.z (with a pre-release where there is one) in what a tool printed, None without one."""
    match = _VERSION.search(output)
    return match.group(1) if match else None


def is_right(found: str, wanted: str, tool: Tool) -> bool:
    """Whether the version that a tool reports may stand in for the one that is pinned."""
    if tool.accept == "minor":
        return "-" not in found and found.split(".")[:2] == wanted.split(".")[:2]
    return found == wanted


def on_path(toolchain: Toolchain, group: Group, ours: Path, search: str | None = None) -> dict[str, Path] | None:
    """All tools of a group as installed on PATH in the right version, or None where one of them is not.

    `ours` is the cache: what lies there was not installed by the user. `search` is a PATH, this process's by default.
    A group is taken as a whole, because its programs are made for each other.
    """
    folders = _foreign_folders(search, ours)
    found: dict[str, Path] = {}
    for name, tool in group.tools.items():
        path = shutil.which(name, path=folders)
        if path is None or not (tool.version_command or tool.file):
            return None
        if tool.version_command:
            reported = _reported_version(Path(path), tool.version_command)
            if reported is None or not is_right(reported, toolchain.version_of(name), tool):
                return None
        found[name] = Path(path)
    return found


def installed_plugin(group: Group, ours: Path, plugins: Path) -> dict[str, Path] | None:
    """The group's Pulumi plugin as installed in a plugin folder by `pulumi plugin install`, or None.

    `plugins` is the folder `plugins` of a PULUMI_HOME.
    """
    if group.plugin is None:
        return None
    name = f"pulumi-resource-{group.plugin}"
    path = plugins / f"resource-{group.plugin}-v{group.release}" / name
    unfinished = (plugins / f"resource-{group.plugin}-v{group.release}.partial").exists()
    if unfinished or not os.access(path, os.X_OK) or path.resolve().is_relative_to(ours.resolve()):
        return None
    return {name: path}


def pulumi_home() -> Path:
    """PULUMI_HOME as the engine reads it."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")


def _foreign_folders(search: str | None, ours: Path) -> str:
    folders: Iterable[str] = (search if search is not None else os.environ.get("PATH", "")).split(os.pathsep)
    return os.pathsep.join(f for f in folders if f and not Path(f).resolve().is_relative_to(ours.resolve()))


def _reported_version(path: Path, arguments: Iterable[str]) -> str | None:
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "1"}
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return version_in(done.stdout + done.stderr) if done.returncode == 0 else None
