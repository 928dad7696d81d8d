"""Files of Go modules that the toolchain is built from anyway: Kubernetes' description of its API, and CRDs."""

from __future__ import annotations

from pathlib import Path

from local.toolchain import golang
from local.toolchain.build import Builder
from local.toolchain.errors import ToolchainError
from local.toolchain.store import Store, default_cache
from local.toolchain.versions import ModuleFile, Toolchain, load


def module_file(name: str, cache: Path | None = None, toolchain: Toolchain | None = None) -> Path:
    """The file that versions.toml has under [files]. Its module is downloaded where it is not there.

    The version and the checksum are those of the go.mod and go.sum of the group that is built from the same module.
    Raises ToolchainError where the module cannot be had.
    """
    chain = toolchain or load()
    source = chain.files[name]
    path = _path(source.module, source.file, cache, chain)
    if not path.is_file():
        raise ToolchainError(f"{source.module} {chain.modules[source.module]} has no file {source.file}")
    return path


def crds(cache: Path | None = None, toolchain: Toolchain | None = None) -> list[Path]:
    """The YAML files of versions.toml's [crds], each with one CustomResourceDefinition; as `module_file` has them.

    Raises ToolchainError where a module cannot be had.
    """
    chain = toolchain or load()
    found: list[Path] = []
    for source in chain.crds.values():
        files = sorted(_path(source.module, source.folder, cache, chain).glob("*.yaml"))
        if not files:
            raise ToolchainError(f"{source.module} {chain.modules[source.module]} has no *.yaml in {source.folder}")
        found += files
    return found


def _path(module: str, inside: str, cache: Path | None, chain: Toolchain) -> Path:
    group = next(name for name, group in chain.groups.items() if module in {it.module for it in group.tools.values()})
    runner = golang.Runner(chain.build.environment)
    builder = Builder(chain, Store(cache or default_cache()), golang.find(chain), runner)
    # Where the download fails, its log lies in the group's folder.
    (builder.store.root / "tools" / group).mkdir(parents=True, exist_ok=True)
    return builder.module_file(group, chain.groups[group], ModuleFile(module=module, file=inside))
