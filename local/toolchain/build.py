"""Building one group of tools: download, compile, publish."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.toolchain import golang
from local.toolchain.errors import ToolchainError
from local.toolchain.store import Store, source_hash
from local.toolchain.versions import Group, ModuleFile, Toolchain

GIB = 1024**3

FreeSpace = Callable[[Path], int]


def free_space(path: Path) -> int:
    """Bytes free on the file system that `path` is on, or will be on once it exists."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


@dataclass(frozen=True)
class Builder:
    """Builds groups into a store with one Go."""

    toolchain: Toolchain
    store: Store
    go: golang.Go
    runner: golang.Runner
    free_space: FreeSpace = free_space

    def build(self, name: str, lock: int) -> dict[str, Path]:
        """Build a group whose lock is held as the descriptor `lock`. Raises ToolchainError."""
        self.check_space([name])
        group = self.toolchain.groups[name]
        partial = self.store.workspace(name)
        try:
            self._compile(name, group, partial, lock)
            final = self.store.folder(name, source_hash(self.toolchain, name), self.go.version)
            self.store.publish(partial, final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return {tool: final / tool for tool in group.tools}

    def check_space(self, names: Sequence[str]) -> None:
        """Raise ToolchainError where a cold build of the groups would not fit. Go's caches may be on another disk."""
        need = sum(self.toolchain.groups[name].disk_gib for name in names)
        for folder in (self.store.root, self.go.build_cache, self.go.module_cache):
            free = self.free_space(folder) / GIB
            if free < need:
                raise ToolchainError(
                    f"building {', '.join(names)} needs {need:g} GiB free for {folder}, and there are {free:.1f} GiB: "
                    "free some space there and run the command again"
                )

    def prefetch(self, name: str) -> None:
        """Download what a group compiles. Failures are left to the build, which explains them."""
        group = self.toolchain.groups[name]
        packages = _packages(group)
        self._go(
            ["list", *self.toolchain.build.arguments[:1], *_tags(group), "-deps", "-e", "-f", "", *packages], group
        )

    def _compile(self, name: str, group: Group, partial: Path, lock: int) -> None:
        output, scratch = partial / "output", partial / "scratch"
        output.mkdir()
        scratch.mkdir()
        arguments = [
            "build",
            *self.toolchain.build.arguments,
            *_tags(group),
            f"-ldflags={self.toolchain.ldflags_of(group)}",
        ]
        arguments += [f"-gcflags={flags}" for flags in (*self.toolchain.build.gcflags, *group.gcflags)]
        arguments += self._overlay(name, group, scratch)
        # Go's own scratch files lie here too, so that those of a killed build are removed by the next one.
        self._go_or_fail(
            f"building {name}", name, [*arguments, "-o", f"{output}/", *_packages(group)], group,
            scratch=scratch, keep_open=(lock,),
        )  # fmt: skip
        for tool, spec in group.tools.items():
            if spec.package is not None:
                built = output / (spec.output or spec.package.rsplit("/", 1)[-1])
                built.rename(partial / tool)
            elif spec.file is not None:
                source = self.module_file(name, group, ModuleFile(module=spec.module, file=spec.file))
                shutil.copyfile(source, partial / tool)
                (partial / tool).chmod(0o755)
        shutil.rmtree(output)
        shutil.rmtree(scratch)

    def _overlay(self, name: str, group: Group, scratch: Path) -> list[str]:
        if not group.overlay:
            return []
        files = {
            str(group.directory / target): str(self.module_file(name, group, source))
            for target, source in group.overlay.items()
        }
        path = scratch / "overlay.json"
        path.write_text(json.dumps({"Replace": files}))
        return ["-overlay", str(path)]

    def module_file(self, name: str, group: Group, source: ModuleFile) -> Path:
        """A file of a module that the group's go.mod requires; the module is downloaded first where it is not there."""
        what = f"downloading {source.module} for {name}"
        out = self._go_or_fail(what, name, ["mod", "download", "-json", source.module], group)
        return Path(json.loads(out)["Dir"]) / source.file

    def _go(
        self, arguments: Sequence[str], group: Group, scratch: Path | None = None, keep_open: Sequence[int] = ()
    ) -> tuple[int, str, str]:
        environment = {"GOTMPDIR": str(scratch)} if scratch else {}
        return self.runner.run(arguments, cwd=group.directory, environment=environment, keep_open=keep_open)

    def _go_or_fail(
        self,
        what: str,
        name: str,
        arguments: Sequence[str],
        group: Group,
        scratch: Path | None = None,
        keep_open: Sequence[int] = (),
    ) -> str:
        code, out, err = self._go(arguments, group, scratch, keep_open)
        if code != 0:
            log = self.store.root / "tools" / name / "last-failure.log"
            log.write_text(f"go {' '.join(arguments)}\n{out}{err}")
            message = golang.explain(what, code, out + err, go_mod=group.directory / "go.mod", log=log)
            raise ToolchainError(message, passing=golang.passes(code, out + err)).with_log((out + err).splitlines())
        return out


def _tags(group: Group) -> list[str]:
    return ["-tags", ",".join(group.tags)] if group.tags else []


def _packages(group: Group) -> list[str]:
    return [tool.package for tool in group.tools.values() if tool.package is not None]
