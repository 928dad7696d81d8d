"""The tools that the embedded environment runs on: found, or built from their Go modules into a cache."""

from __future__ import annotations

from local.toolchain.errors import ToolchainError
from local.toolchain.files import crds, module_file
from local.toolchain.plugins import install_plugins
from local.toolchain.stages import Handle, add_to_path, bin_dir, ensure, start
from local.toolchain.versions import EXISTING_CLUSTER_TOOLS, STAGES, UP_STAGES, Stage

__all__ = [
    "EXISTING_CLUSTER_TOOLS",
    "STAGES",
    "UP_STAGES",
    "Handle",
    "Stage",
    "ToolchainError",
    "add_to_path",
    "bin_dir",
    "crds",
    "ensure",
    "install_plugins",
    "module_file",
    "start",
]
