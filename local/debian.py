"""Debian packages that the environment needs from the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from local.errors import LocalError

# Debian's own switch for "may this service start now?"; 101 means no.
_SERVICE_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_MANUALS: Final = Path("/usr/share/man/man1")


def installed(packages: Sequence[str]) -> set[str]:
    """Those of the packages that dpkg has installed; none where there is no dpkg."""
    if shutil.which("dpkg-query") is None:
        return set()
    query = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (line.split() for line in query.stdout.splitlines())
    return {name for name, status in lines if status == "installed"}


def ensure(packages: Sequence[str], say: Callable[[str], None]) -> None:
    """Installs what is missing.

    Raises:
        LocalError: it cannot; the message has the one command to paste.
    """
    missing = sorted(set(packages) - installed(packages))
    if not missing:
        return
    command = f"apt-get update && apt-get install --no-install-recommends -y {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        raise LocalError(f"this needs the Debian packages {', '.join(missing)}, and there is no apt-get here")
    if os.geteuid() != 0:
        raise LocalError(f"Debian packages are missing; run: sudo sh -c '{command}'")
    say(f"installing {len(missing)} Debian packages: {' '.join(missing)}")
    # Slim images of Debian lack it, and Java's packages fail without: they link their manual pages into it.
    _MANUALS.mkdir(parents=True, exist_ok=True)
    _apt(["update", "-qq"])
    _apt(["install", "--no-install-recommends", "-y", "-qq", *missing])


def _apt(arguments: Sequence[str]) -> None:
    with _services_stay_stopped():
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run = subprocess.run(["apt-get", *arguments], capture_output=True, text=True, env=environment, check=False)
    if run.returncode != 0:
        lines = [line.strip() for line in (run.stdout + run.stderr).splitlines() if "error" in line or line[:2] == "E:"]
        reason = lines[0] if lines else "no reason given"
        raise LocalError(f"`apt-get {arguments[0]}` failed: {reason}; mend that and run the command again")


@contextmanager
def _services_stay_stopped() -> Generator[None]:
    """Keeps packages from starting their services (PostgreSQL, Redis): they are none of ours, and would take ports."""
    if _SERVICE_POLICY.exists():
        yield
        return
    _SERVICE_POLICY.write_text("#!/bin/sh\nexit 101\n")
    _SERVICE_POLICY.chmod(0o755)
    try:
        yield
    finally:
        _SERVICE_POLICY.unlink()
