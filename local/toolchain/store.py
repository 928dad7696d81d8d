"""The cache of built tools: where they lie, which are current, and how they get there whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.paths import Instance
from local.toolchain.versions import Group, Toolchain

_LOCK_POLL_SECONDS = 0.2


def default_cache() -> Path:
    """The cache folder that all instances share: ${XDG_CACHE_HOME:-~/.cache}/crypto-operations."""
    return Instance.from_environment().cache_dir


def source_hash(toolchain: Toolchain, name: str) -> str:
    """Changes with everything of this repository that a group is built from."""
    group = toolchain.groups[name]
    digest = hashlib.sha256(group.model_dump_json().encode())
    digest.update(toolchain.build.model_dump_json().encode())
    digest.update(toolchain.ldflags_of(group).encode())
    for path in _sources(group):
        digest.update(f"{path.relative_to(group.directory)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(group: Group) -> Iterator[Path]:
    yield from (group.directory / "go.mod", group.directory / "go.sum")
    for package in sorted(tool.package or "" for tool in group.tools.values()):
        if package.startswith("."):
            yield from sorted((group.directory / package).glob("*.go"))


@dataclass(frozen=True)
class Store:
    """Built groups below `root`/tools/<group>/<hash of the sources>-<version of Go>/."""

    root: Path

    def folder(self, name: str, sources: str, go_version: str) -> Path:
        return self.root / "tools" / name / f"{sources}-{go_version}"

    def built(self, toolchain: Toolchain, name: str, go_version: str | None) -> dict[str, Path] | None:
        """The tools of a group as built before, None where they were not.

        Without a Go (None), a build by any version of Go will do: there is none that could make a better one.
        """
        sources = source_hash(toolchain, name)
        parent = self.root / "tools" / name
        if go_version is not None:
            candidates = [self.folder(name, sources, go_version)]
        else:
            candidates = sorted(parent.glob(f"{sources}-*")) if parent.is_dir() else []
        for folder in candidates:
            paths = {tool: folder / tool for tool in toolchain.groups[name].tools}
            if all(os.access(path, os.X_OK) for path in paths.values()):
                return paths
        return None

    @contextmanager
    def lock(self, name: str, waiting: Callable[[], None], stopped: Callable[[], bool]) -> Generator[int | None]:
        """Hold the lock of a group, so that two runs do not build it at once. None where `stopped` before it was got.

        The lock is on an open file: whoever is killed gives it back. `waiting` is called once if it is held elsewhere.
        """
        parent = self.root / "tools" / name
        parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(parent / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            said = False
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if stopped():
                        yield None
                        return
                    if not said:
                        waiting()
                        said = True
                    time.sleep(_LOCK_POLL_SECONDS)
                else:
                    break
            yield descriptor
        finally:
            os.close(descriptor)

    def workspace(self, name: str) -> Path:
        """An empty folder for one build of a group; what killed builds left is removed. Call it with the lock held."""
        parent = self.root / "tools" / name
        for left in parent.glob(".partial-*"):
            _remove(left)
        folder = parent / f".partial-{os.getpid()}"
        folder.mkdir(parents=True)
        return folder

    def publish(self, partial: Path, final: Path) -> None:
        """Make a finished folder visible, at once and whole."""
        if final.exists():
            _remove(final)
        partial.replace(final)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def link(folder: Path, name: str, target: Path) -> None:
    """Point `folder`/`name` at `target`, without a moment in which the link is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if path.is_symlink() and path.readlink() == target:
        return
    temporary = folder / f".{name}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
