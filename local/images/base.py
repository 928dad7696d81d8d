"""The base image: what `debian:bookworm-slim` is, made from Debian's own packages."""

import hashlib
import os
import subprocess
from typing import Final

from local.images.layout import Layout
from local.images.process import Children

BASE_NAME: Final = "docker.io/library/debian:bookworm-slim"
"""The name that every Dockerfile has in FROM."""

_SUITE: Final = "bookworm"
# As in the official slim image: no documentation, manuals and translations; no fsync for each unpacked file.
_DPKG_OPTIONS: Final = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
)
_REVISION: Final = "1"


def base_key() -> str:
    """Names one recipe of the base; Debian's later point releases do not change it."""
    recipe = "\n".join((_REVISION, _SUITE, *_DPKG_OPTIONS))
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def build_base(layout: Layout, children: Children) -> None:
    """Build the root file system unless it is there.

    Raises:
        ImageError: mmdebstrap is missing or failed.
    """
    target = layout.base(base_key())
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = layout.scratch / f"base-{os.getpid()}.tar"
    options = [f"--dpkgopt={option}" for option in _DPKG_OPTIONS]
    command = ["mmdebstrap", "--variant=minbase", *options, _SUITE, str(partial)]
    sources = _host_sources()
    if sources:
        command.append("-")
    environment = {**os.environ, "TMPDIR": str(layout.scratch)}
    log = layout.logs / "base.log"
    children.run(
        command,
        log=log,
        what="base image",
        env=environment,
        stdin=sources.encode() if sources else None,
    )
    partial.replace(target)


def _host_sources() -> str:
    """The host's own Debian mirrors of the suite as sources.list lines; empty where the default has to do."""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = {
        f"deb {uri} {release} {component}"
        for uri, release, component, origin in (
            line.split() for line in found.stdout.splitlines() if line.count(" ") == 3
        )
        # A base without certificates cannot speak TLS.
        if origin == "Debian" and uri.startswith("http://") and release.startswith(_SUITE)
    }
    return "\n".join(sorted(lines)) + "\n" if any(f" {_SUITE} " in line for line in lines) else ""
