"""Having the tools: used where they are installed, taken from the cache where they were built, else built.

`start` works in the background, so that the cluster can come up while the provider still compiles.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from local.toolchain import detect, golang
from local.toolchain.build import Builder, FreeSpace, free_space
from local.toolchain.errors import ToolchainError
from local.toolchain.progress import Progress, for_stream
from local.toolchain.store import Store, default_cache, link
from local.toolchain.versions import STAGES, UP_STAGES, Toolchain, load


class Handle:
    """Tools on their way. Use it as a context manager: leaving it ends the build that still runs."""

    def __init__(
        self, toolchain: Toolchain, groups: Iterable[str], *, cache: Path, progress: Progress, space: FreeSpace
    ) -> None:
        self._toolchain = toolchain
        self._groups = tuple(groups)
        self._cache = cache
        self._store = Store(cache)
        self._progress = progress
        self._space = space
        self._runner = golang.Runner(toolchain.build.environment)
        self._changed = threading.Condition()
        self._paths: dict[str, Path] = {}
        self._failure: ToolchainError | None = None
        self._done = False
        self._thread = threading.Thread(target=self._work, name="toolchain", daemon=True)
        self._thread.start()

    def wait_for(self, *names: str) -> dict[str, Path]:
        """Block until these tools are there; their paths. Raises ToolchainError where one cannot be had."""
        wanted = {tool for name in names for tool in self._tools_of(name)}
        with self._changed:
            self._changed.wait_for(lambda: wanted <= self._paths.keys() or self._done)
            if wanted <= self._paths.keys():
                return {name: self._paths[name] for name in sorted(wanted)}
            raise self._failure or ToolchainError(f"building {', '.join(sorted(wanted))} was stopped: run it again")

    def wait(self) -> dict[str, Path]:
        """Block until every tool that was asked for is there."""
        return self.wait_for(*self._groups)

    def stop(self) -> None:
        """End the build that runs. What it compiled stays in Go's cache."""
        self._runner.stop()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _tools_of(self, name: str) -> Iterable[str]:
        """The tools that a name stands for: a tool, a group or a stage."""
        if name in self._toolchain.groups:
            return self._toolchain.groups[name].tools
        if name in STAGES:
            return [tool for group in self._toolchain.groups.values() if group.stage == name for tool in group.tools]
        group = self._toolchain.tool_groups.get(name)
        if group not in self._groups:
            raise ToolchainError(f"{name} is not among the tools that were started: {', '.join(self._groups)}")
        return [name]

    def _work(self) -> None:
        try:
            self._have_all()
        except ToolchainError as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001 - a thread's error would be lost; whoever waits must hear of it
            self._failure = ToolchainError(f"the toolchain failed unexpectedly: {type(error).__name__}: {error}")
        finally:
            self._progress.close()
            with self._changed:
                self._done = True
                self._changed.notify_all()

    def _have_all(self) -> None:
        go, failure = self._find_go()
        missing: list[str] = []
        for name in self._groups:
            paths = self._installed(name) or self._store.built(self._toolchain, name, go.version if go else None)
            if paths is None:
                missing.append(name)
            else:
                self._announce(paths)
        if not missing:
            return
        if go is None:
            raise failure or ToolchainError("go is not on PATH")
        builder = Builder(self._toolchain, self._store, go, self._runner, self._space)
        builder.check_space(missing)
        threading.Thread(target=_prefetch, args=(builder, missing[1:]), daemon=True).start()
        for position, name in enumerate(missing):
            self._announce(self._build(builder, name, left=len(missing) - position - 1))

    def _find_go(self) -> tuple[golang.Go | None, ToolchainError | None]:
        """Go is needed only where something is to be built."""
        try:
            return golang.find(self._toolchain), None
        except ToolchainError as error:
            return None, error

    def _installed(self, name: str) -> dict[str, Path] | None:
        group = self._toolchain.groups[name]
        if group.plugin is not None:
            return detect.installed_plugin(group, self._cache, detect.pulumi_home() / "plugins")
        return detect.on_path(self._toolchain, group, self._cache)

    def _build(self, builder: Builder, name: str, left: int) -> dict[str, Path]:
        with self._store.lock(name, lambda: self._progress.waiting(name), lambda: self._runner.stopped) as lock:
            if lock is None:
                raise ToolchainError(f"building {name} was stopped: run the command again")
            # Another run may have built it while this one waited.
            paths = self._store.built(self._toolchain, name, builder.go.version)
            if paths is not None:
                return paths
            self._progress.started(name, left)
            begin = time.monotonic()
            paths = builder.build(name, lock)
        self._progress.finished(name, time.monotonic() - begin)
        return paths

    def _announce(self, paths: dict[str, Path]) -> None:
        for name, path in paths.items():
            # A provider on PATH would make the engine warn: it is found in the plugin folder.
            if not name.startswith("pulumi-resource-"):
                link(bin_dir(self._cache, self._toolchain), name, path)
        with self._changed:
            self._paths |= paths
            self._changed.notify_all()


def _prefetch(builder: Builder, groups: Iterable[str]) -> None:
    for name in groups:
        if builder.runner.stopped:
            return
        builder.prefetch(name)


def bin_dir(cache: Path | None = None, toolchain: Toolchain | None = None) -> Path:
    """The folder with a link to each tool that is there, for a PATH. Each set of versions has its own."""
    return (cache or default_cache()) / "bin" / (toolchain or load()).fingerprint()


def start(
    names: Iterable[str] = UP_STAGES,
    *,
    progress: Progress | None = None,
    cache: Path | None = None,
    toolchain: Toolchain | None = None,
    space: FreeSpace = free_space,
) -> Handle:
    """Begin to provide these stages, groups or tools, in the order of versions.toml, in a background thread."""
    chain = toolchain or load()
    wanted = set(names)
    groups = [name for name, group in chain.groups.items() if wanted & {name, group.stage, *group.tools}]
    return Handle(chain, groups, cache=cache or default_cache(), progress=progress or for_stream(), space=space)


def ensure(
    names: Iterable[str] | None = None,
    progress: Progress | None = None,
    *,
    cache: Path | None = None,
    toolchain: Toolchain | None = None,
    space: FreeSpace = free_space,
) -> dict[str, Path]:
    """The paths of these tools (all of them by default, those of `make lint` too), once they are there.

    Raises ToolchainError for a name that is no tool and where one cannot be had.
    """
    chain = toolchain or load()
    wanted = list(names) if names is not None else list(chain.tool_groups)
    unknown = [name for name in wanted if name not in chain.tool_groups]
    if unknown:
        raise ToolchainError(f"{', '.join(unknown)}: not a tool; there are {', '.join(sorted(chain.tool_groups))}")
    needed = {chain.tool_groups[name] for name in wanted}
    groups = [name for name in chain.groups if name in needed]
    handle = Handle(chain, groups, cache=cache or default_cache(), progress=progress or for_stream(), space=space)
    with handle:
        return handle.wait_for(*wanted)


def add_to_path(environment: dict[str, str] | None = None) -> dict[str, str]:
    """A copy of an environment (this process's) with the tools first on PATH."""
    env = dict(os.environ if environment is None else environment)
    env["PATH"] = f"{bin_dir()}{os.pathsep}{env.get('PATH', '')}"
    return env
