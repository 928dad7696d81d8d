"""Build every image of the embedded environment, each only once for its contents.

`python -m local.images.build [NAME...]` builds into the user's cache and prints the lock file's JSON.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from local import toolchain
from local.images.base import base_key, build_base
from local.images.buildah import Buildah
from local.images.catalog import Recipe, recipes, tools_needed
from local.images.context import Tools, content_hash, tools_key
from local.images.errors import ImageError
from local.images.kafka_jars import fetch_jars, jars_key
from local.images.layout import Layout
from local.images.process import Children
from local.images.superseded import KEPT, superseded, use
from local.stop import Stop
from local.together import Together

NO_TOOLS: Final[Tools] = {}
_LOCK_POLL_SECONDS: Final = 0.2

Progress = Callable[[str], None]
"""Called with one line whenever something begins or ends, from any thread."""


@dataclass(frozen=True)
class Image:
    """A built image: `ref` is `localhost/crypto/<name>:<content hash>`, `archive` its OCI archive."""

    name: str
    ref: str
    archive: Path


def planned(cache: Path, names: Sequence[str] | None = None, tools: Tools = NO_TOOLS) -> dict[str, Image]:
    """What `build_all` would return, without building anything.

    Raises:
        ImageError: an unknown name, or a file or a program that an image is made of is missing.
    """
    layout = Layout.of(cache)
    return {recipe.name: _image(layout, recipe, tools) for recipe in _chosen(names)}


def build_all(
    cache: Path,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
    tools: Tools = NO_TOOLS,
    stop: Stop | None = None,
) -> dict[str, Image]:
    """Build the images `names` (default: all) that are not in the cache yet; safe to interrupt at any moment.

    `tools` are the programs of the toolchain that some images are made of (`catalog.tools_needed` names them).

    Raises:
        ImageError: an unknown name, a missing tool, a failed step, or `stop` was asked. What was finished is kept.
    """
    layout = Layout.of(cache)
    say = progress or _silent
    images = planned(cache, names, tools)
    missing = [recipe for recipe in _chosen(names) if not use(images[recipe.name].archive)]
    if missing:
        ending = stop or Stop()
        with _exclusive(layout, say, ending) as lock:
            buildah = Buildah(layout, Children((lock,)))
            ending.calls(buildah.children.end)
            _build_missing(buildah, missing, images, tools, say)
            _forget_superseded(buildah, [recipe.name for recipe in missing], say)
    return images


def _silent(_line: str) -> None:
    pass


def _chosen(names: Sequence[str] | None) -> list[Recipe]:
    known = recipes()
    for name in names or ():
        if name not in known:
            raise ImageError(f"unknown image {name!r}: choose from {', '.join(sorted(known))}")
    return [recipe for recipe in known.values() if names is None or recipe.name in names]


def _image(layout: Layout, recipe: Recipe, tools: Tools) -> Image:
    # Nothing is added for the images without programs, so that their hashes are what they were.
    further = [tools_key(recipe, tools)] if recipe.tools else []
    digest = content_hash(recipe, base_key(), jars_key() if recipe.jars else "", *further)
    return Image(recipe.name, f"localhost/crypto/{recipe.name}:{digest}", layout.archive(recipe.name, digest))


@contextmanager
def _exclusive(layout: Layout, say: Progress, stop: Stop) -> Generator[int]:
    """One builder at a time; children inherit the descriptor: a killed build's last child still holds the lock."""
    for folder in (layout.root, layout.scratch, layout.logs):
        folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, say, stop)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, say: Progress, stop: Stop) -> None:
    said = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode()
            # This process's own other images are no news.
            if not said and holder != str(os.getpid()):
                say(
                    f"images: process {holder or '?'} builds images, or what it started still does: waiting for its end"
                )
                said = True
        else:
            return
        if stop.asked:
            raise ImageError("the images were not begun, because the build was stopped", passing=True)
        time.sleep(_LOCK_POLL_SECONDS)


def _build_missing(
    buildah: Buildah, missing: list[Recipe], images: dict[str, Image], tools: Tools, say: Progress
) -> None:
    lanes = {recipe.lane: [other for other in missing if other.lane == recipe.lane] for recipe in missing}
    with Together() as work:
        work.stop.calls(buildah.children.end)
        wants_jars = any(recipe.jars for recipe in missing)
        jars = work.start(partial(fetch_jars, buildah.layout, buildah.children)) if wants_jars else None
        _prepare_base(buildah, say)
        building = [
            work.start(partial(_build_lane, buildah, lane, images, jars, tools, say)) for lane in lanes.values()
        ]
        for lane in building:
            lane.result()


def _build_lane(
    buildah: Buildah,
    lane: list[Recipe],
    images: dict[str, Image],
    jars: Future[Path] | None,
    tools: Tools,
    say: Progress,
) -> None:
    for recipe in lane:
        # Another process may have built it while this one waited for the lock.
        if not use(images[recipe.name].archive):
            needed = jars.result() if jars and recipe.jars else None
            _build_one(buildah, recipe, images[recipe.name], needed, tools, say)


def _prepare_base(buildah: Buildah, say: Progress) -> None:
    buildah.remove_leftovers()
    key = base_key()
    began = time.monotonic()
    fresh = not buildah.layout.base(key).exists()
    if fresh:
        say("images: base from Debian's packages ...")
    build_base(buildah.layout, buildah.children)
    buildah.import_base(buildah.layout.base(key), key)
    if fresh:
        say(f"images: base ready after {time.monotonic() - began:.0f} s")


def _build_one(buildah: Buildah, recipe: Recipe, image: Image, jars: Path | None, tools: Tools, say: Progress) -> None:
    began = time.monotonic()
    say(f"images: {recipe.name} ...")
    buildah.build(recipe, image.ref, jars, tools)
    built = time.monotonic()
    buildah.export(recipe, image.ref, image.archive)
    size = image.archive.stat().st_size / 1_000_000
    ended = time.monotonic()
    say(f"images: {recipe.name} ready after {ended - began:.0f} s ({size:.0f} MB, written in {ended - built:.0f} s)")


def _forget_superseded(buildah: Buildah, names: list[str], say: Progress) -> None:
    for name in names:
        for archive in superseded(buildah.layout.archives, name):
            try:
                buildah.remove(f"localhost/crypto/{name}:{archive.stem.removeprefix(f'{name}-')}")
            except ImageError as error:
                # What was to be built is there; the next build tries again.
                say(f"images: {archive.name} stays: {error}")
                continue
            archive.unlink()
            say(f"images: removed {archive.name}: {KEPT} others of {name} were used since")


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit code."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crypto-operations"
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {line}\n")

    try:
        names = list(arguments) or None
        images = build_all(cache, names, show, toolchain.ensure(tools_needed(names)))
    except (ImageError, toolchain.ToolchainError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({name: image.ref for name, image in images.items()}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
