"""Pulumi's plugin folder: the built provider, installed as `pulumi plugin install` would leave it."""

from __future__ import annotations

import shutil
from pathlib import Path

from local.toolchain.stages import ensure
from local.toolchain.store import link
from local.toolchain.versions import Toolchain, load


def install_plugins(
    pulumi_home: Path, tools: dict[str, Path] | None = None, toolchain: Toolchain | None = None
) -> None:
    """Install the Kubernetes provider into PULUMI_HOME/plugins. Harmless when repeated.

    `tools` are the paths that `ensure` or a handle gave; without them they are ensured here. The language host is no
    plugin: the engine finds it beside itself. A genuine plugin that is installed there already is left as it is.
    Raises ToolchainError where the provider cannot be had.
    """
    chain = toolchain or load()
    for group in chain.groups.values():
        if group.plugin is None:
            continue
        name = f"pulumi-resource-{group.plugin}"
        path = (tools if tools and name in tools else ensure([name], toolchain=chain))[name]
        folder = pulumi_home / "plugins" / f"resource-{group.plugin}-v{group.release}"
        if path.parent == folder:
            continue
        # A .partial file beside the folder is how the engine marks an interrupted installation.
        Path(f"{folder}.partial").unlink(missing_ok=True)
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        link(folder, name, path)
        Path(f"{folder}.lock").touch()


def remove_plugins(pulumi_home: Path) -> None:
    """Remove the whole plugin folder of an instance's own PULUMI_HOME."""
    shutil.rmtree(pulumi_home / "plugins", ignore_errors=True)
