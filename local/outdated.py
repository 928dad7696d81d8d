"""`make outdated`: the dependencies that have a newer release, by uv for Python and by Go for the toolchain.

Both name the newest release there is, which is older than a commit or a release candidate that is used here.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import semver
from packaging.version import Version

from local.errors import LocalError
from local.pulumi_cli import PROJECT_ROOT
from local.toolchain import versions

_NEWER = re.compile(r"([\w.-]+)(?:\[[^]]*\])? v(\S+) .*\(latest: v(\S+)\)")
_GO = re.compile(r"v\d+\.\d+\.\d+\S*")
_SECONDS = 120


def report() -> list[str]:
    """A line for each dependency that is behind: its name, its version here, and the newest.

    Raises:
        LocalError: uv or the index does not answer.
    """
    lines = [f"{name:60} {here} -> {newest}" for name, here, newest in (*_python(), *_go(versions.load().modules))]
    return lines or ["every dependency is at its newest release"]


def _python() -> Iterator[tuple[str, str, str]]:
    tree = _run([os.environ.get("UV", "uv"), "tree", "--frozen", "--outdated", "--depth=1"])
    for found in _NEWER.finditer(tree):
        if _is_behind(Version(found[2]), Version(found[3])):
            yield found[1], found[2], found[3]


def _go(modules: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    with ThreadPoolExecutor(8) as pool:
        for (module, here), newest in zip(modules.items(), pool.map(_newest, modules), strict=True):
            if (known := _GO.fullmatch(newest)) is None or _go_is_behind(here, known[0]):
                yield module, here.removeprefix("v"), newest.removeprefix("v")


def _is_behind(here: Version, newest: Version) -> bool:
    """Whether a later release is there; who has a release is not told of what comes before the next one."""
    # An epoch can set a lower release above a higher one.
    return newest > here and newest.release >= here.release and (here.is_prerelease or not newest.is_prerelease)


def _go_is_behind(here: str, newest: str) -> bool:
    """As ``_is_behind``. Go writes a commit like what comes before a release: v4.0.0-20260115033456-f47bc2d6f199."""
    mine, other = (semver.Version.parse(version.removeprefix("v")) for version in (here, newest))
    return other > mine and (mine.prerelease is not None or other.prerelease is None)


def _newest(module: str) -> str:
    # Outside of every module, whose own limits Go would keep.
    try:
        return _run(["go", "list", "-m", "-f", "{{.Version}}", f"{module}@latest"], folder="/").strip()
    except LocalError as error:
        # Some proxies serve the version that is used and not the newest.
        return f"not known: {error}"


def _run(command: list[str], folder: str = str(PROJECT_ROOT)) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalError(f"{command[0]} cannot be asked: {error}", passing=True) from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1].strip()
        raise LocalError(f"{' '.join(command[:3])} ... failed: {last}", passing=True)
    return done.stdout
