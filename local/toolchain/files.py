"""Single files of Go modules that the toolchain is built from anyway, such as Kubernetes' description of its API."""

from __future__ import annotations

from pathlib import Path

from local.toolchain import golang
from local.toolchain.build import Builder
from local.toolchain.errors import ToolchainError
from local.toolchain.store import Store, default_cache
from local.toolchain.versions import Toolchain, load


def module_file(name: str, cache: Path | None = None, toolchain: Toolchain | None = None) -> Path:
    """The file that versions.toml has under [files]. Its module is downloaded where it is not there.

    The version and the checksum are those of the go.mod and go.sum of the group that is built from the same module.
    Raises ToolchainError where the module cannot be had.
    """
    chain = toolchain or load()
    source = chain.files[name]
    group = next(group for group in chain.groups if source.module in _modules(chain, group))
    runner = golang.Runner(chain.build.environment)
    builder = Builder(chain, Store(cache or default_cache()), golang.find(chain), runner)
    # Where the download fails, its log lies in the group's folder.
    (builder.store.root / "tools" / group).mkdir(parents=True, exist_ok=True)
    path = builder.module_file(group, chain.groups[group], source)
    if not path.is_file():
        raise ToolchainError(f"{source.module} {chain.modules[source.module]} has no file {source.file}")
    return path


def _modules(toolchain: Toolchain, group: str) -> set[str]:
    return {tool.module for tool in toolchain.groups[group].tools.values()}
