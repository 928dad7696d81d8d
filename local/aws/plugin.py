"""Which ``aws`` plugin the engine will use, and installing the stand-in where there is no genuine one."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_EXECUTABLE = "pulumi-resource-aws"
_MARK = "# crypto-operations: stand-in for the embedded environment"


@dataclass(frozen=True)
class Plugin:
    """An installed plugin; `genuine` is False for the stand-in."""

    path: Path
    genuine: bool


def sdk_version() -> str:
    """The version of the installed SDK, which is the version of the plugin that the engine looks for."""
    return metadata.version("pulumi-aws")


def plugin_in_use(pulumi_home: Path) -> Plugin | None:
    """The plugin of the SDK's version that the engine finds under `pulumi_home`, or None."""
    path = _executable(pulumi_home)
    return Plugin(path, genuine=not _is_stand_in(path)) if path.exists() else None


def install_plugin(pulumi_home: Path, python: Path) -> Path:
    """Make the engine find an ``aws`` plugin under `pulumi_home` and return its path.

    A genuine plugin of the SDK's version there, or in ``~/.pulumi``, is used and never written to; else a launcher of
    the stand-in is written that runs in the interpreter `python`. Raises OSError when the folder cannot be written.
    """
    path = _executable(pulumi_home)
    present = plugin_in_use(pulumi_home)
    if present is not None and present.genuine:
        return path
    elsewhere = plugin_in_use(Path("~/.pulumi").expanduser())
    if elsewhere is not None and elsewhere.genuine:
        _link(path.parent, elsewhere.path.parent)
        return path
    _write_launcher(path, python)
    return path


def _executable(pulumi_home: Path) -> Path:
    return pulumi_home / "plugins" / f"resource-aws-v{sdk_version()}" / _EXECUTABLE


def _is_stand_in(path: Path) -> bool:
    with path.open("rb") as file:
        return _MARK.encode() in file.read(512)


def _link(link: Path, target: Path) -> None:
    if link.is_dir() and not link.is_symlink():
        (link / _EXECUTABLE).unlink(missing_ok=True)
        link.rmdir()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target.resolve())


def _write_launcher(path: Path, python: Path) -> None:
    # -P keeps the folder of the program that is being deployed off the path: it may have a package named `local`, too.
    script = f'#!/bin/sh\n{_MARK}\nexec {shlex.quote(str(python))} -P -u -m local.aws.provider "$@"\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text() == script:
        return
    written = path.with_name(f".{_EXECUTABLE}.{os.getpid()}")
    written.write_text(script)
    written.chmod(0o755)
    written.replace(path)
