"""How long the images of the environment take into a new cluster: each by itself, and as `make up` imports them.

`python -m benchmarks.images` as root, after `make up` has built them. Each way has a bare cluster of its own, in a
folder that is removed afterwards; with `--rounds N` in turns, and the medians are compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local import toolchain
from local.cluster import lifecycle
from local.cluster.image_import import NAMESPACE
from local.cluster.lifecycle import ClusterSpec
from local.images.build import planned
from local.images.catalog import tools_needed
from local.paths import Instance

_SLOT = 13


def _one_by_one(spec: ClusterSpec, archives: Sequence[Path]) -> None:
    socket = lifecycle.containerd_socket(spec.instance)
    ctr = (str(spec.bin_dir / "ctr"), "--address", str(socket), "--namespace", NAMESPACE)
    for archive in archives:
        subprocess.run([*ctr, "images", "import", str(archive)], check=True, capture_output=True)


def _at_once(spec: ClusterSpec, archives: Sequence[Path]) -> None:
    lifecycle.import_images(spec.instance, spec.bin_dir, archives)


def _seconds(way: Callable[[ClusterSpec, Sequence[Path]], None], archives: Sequence[Path], folder: Path) -> float:
    instance = Instance("bench", _SLOT, folder / "state" / "bench", folder / "cache")
    spec = ClusterSpec(instance, toolchain.bin_dir())
    try:
        lifecycle.up(spec)
        began = time.perf_counter()
        way(spec, archives)
        return time.perf_counter() - began
    finally:
        lifecycle.clean(instance)


def main() -> None:
    """Prints the seconds of both ways and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds: int = parser.parse_args().rounds
    cache = Instance.from_environment().cache_dir
    images = planned(cache, None, toolchain.ensure(tools_needed()))
    archives = [image.archive for image in images.values()]
    if missing := [str(archive) for archive in archives if not archive.exists()]:
        sys.exit(f"{missing[0]} is not there: run `make up` first")
    ways = {"each by itself": _one_by_one, "as make up does": _at_once}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("TMPDIR")))
    try:
        for _ in range(rounds):
            for name, way in ways.items():
                taken[name].append(_seconds(way, archives, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    megabytes = sum(archive.stat().st_size for archive in archives) / 1e6
    print(f"{len(archives)} images, {megabytes:.0f} MB with what they share, medians of {rounds}:")
    first = statistics.median(taken["each by itself"])
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"  {name:16}{median:6.1f} s  {median / first:.2f}x")


if __name__ == "__main__":
    main()
