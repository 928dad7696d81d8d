"""How long the toolchain takes to build from nothing: `python -m benchmarks.toolchain [--groups engine provider]`.

Builds each group into a temporary cache with a build cache of its own, in the order of versions.toml, and prints wall
and CPU seconds. Groups share what they compile, as in a cold `make up`; with `--alone` each starts from nothing.
Modules are taken from the machine's module cache; with `--download` they are fetched anew and timed as well.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.toolchain import golang
from local.toolchain.build import Builder
from local.toolchain.store import Store
from local.toolchain.versions import Toolchain, load


@dataclass(frozen=True)
class Measurement:
    """What one group took, in seconds, and the size of its programs in MB."""

    group: str
    download: float | None
    wall: float
    cpu: float
    megabytes: float


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _measure(builder: Builder, group: str, download: bool) -> Measurement:
    begin = time.monotonic()
    if download:
        builder.prefetch(group)
    downloaded = time.monotonic()
    cpu = _cpu_seconds()
    with builder.store.lock(group, lambda: None, lambda: False) as lock:
        assert lock is not None
        paths = builder.build(group, lock)
    return Measurement(
        group,
        downloaded - begin if download else None,
        time.monotonic() - downloaded,
        _cpu_seconds() - cpu,
        sum(path.stat().st_size for path in paths.values()) / 1e6,
    )


def _builder(toolchain: Toolchain, folder: Path, download: bool) -> Builder:
    os.environ["GOCACHE"] = str(folder / "go-build")
    if download:
        os.environ["GOMODCACHE"] = str(folder / "modules")
        # Read-only files, Go's default, could not be removed with the temporary folder.
        os.environ["GOFLAGS"] = f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip()
    runner = golang.Runner(toolchain.build.environment)
    return Builder(toolchain, Store(folder / "cache"), golang.find(toolchain), runner)


def _size(folder: Path) -> float:
    if not folder.is_dir():
        return 0.0
    return int(subprocess.check_output(["du", "-sk", str(folder)], text=True).split()[0]) / 1024**2


def _table(measurements: list[Measurement], go: str) -> Table:
    table = Table(title=f"toolchain from nothing: {os.cpu_count()} cores, {go}")
    for heading in ("group", "download s", "wall s", "CPU s", "programs MB"):
        table.add_column(heading, justify="left" if heading == "group" else "right")
    for m in measurements:
        download = "-" if m.download is None else f"{m.download:.0f}"
        table.add_row(m.group, download, f"{m.wall:.0f}", f"{m.cpu:.0f}", f"{m.megabytes:.0f}")
    download = sum(m.download or 0.0 for m in measurements)
    wall, cpu, size = (
        sum(values) for values in zip(*((m.wall, m.cpu, m.megabytes) for m in measurements), strict=True)
    )
    table.add_section()
    table.add_row("all", f"{download:.0f}", f"{wall:.0f}", f"{cpu:.0f}", f"{size:.0f}")
    return table


def main() -> None:
    """Measure and print."""
    toolchain = load()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", nargs="+", choices=list(toolchain.groups), default=list(toolchain.groups))
    parser.add_argument("--alone", action="store_true", help="give each group an empty build cache")
    parser.add_argument("--download", action="store_true", help="fetch the modules anew")
    arguments = parser.parse_args()
    console = Console()
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="toolchain-benchmark-") as temporary:
        version, folders = "", set[Path]()
        for number, group in enumerate(arguments.groups):
            folder = Path(temporary) / (str(number) if arguments.alone else "shared")
            folders.add(folder)
            builder = _builder(toolchain, folder, arguments.download)
            version = builder.go.version
            measurements.append(_measure(builder, group, arguments.download))
            console.print(f"{group}: {measurements[-1].wall:.0f} s", highlight=False)
        console.print(_table(measurements, version))
        caches = sum(_size(folder / "go-build") for folder in folders)
        modules = sum(_size(folder / "modules") for folder in folders)
        console.print(f"Go's build cache {caches:.1f} GiB, downloaded modules {modules:.1f} GiB", highlight=False)


if __name__ == "__main__":
    main()
