"""Debian packages that the environment needs from the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from local.cluster.packages import Package
from local.errors import LocalError

# Debian's own switch for "may this service start now?"; 101 means no.
_SERVICE_POLICY: Final = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT: Final = "#!/bin/sh\n# Of crypto-operations, while it installs packages.\nexit 101\n"
_MANUALS: Final = Path("/usr/share/man/man1")
_INSTALL: Final = ("install", "--no-install-recommends", "--no-remove", "-y")
# Another apt-get (that of unattended upgrades) may be at work.
_LOCK_SECONDS: Final = 300
_INTERRUPTED: Final = "dpkg was interrupted"


def installed(packages: Sequence[str]) -> set[str]:
    """Those of the packages that dpkg has installed; none where there is no dpkg."""
    if not packages or shutil.which("dpkg-query") is None:
        return set()
    query = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (line.split() for line in query.stdout.splitlines())
    return {name for name, status in lines if status == "installed"}


def missing(packages: Sequence[Package | str]) -> list[str]:
    """Names of the packages that are to be installed.

    A package is there when its programs and files are, whatever brought them. A plain name is looked up in dpkg.
    """
    absent = {item.name for item in packages if isinstance(item, Package) and item.missing() is not None}
    names = [item for item in packages if isinstance(item, str)]
    return sorted(absent | (set(names) - installed(names)))


def ensure(packages: Sequence[Package | str], say: Callable[[str], None]) -> None:
    """Installs what is missing, and removes nothing for it.

    Raises:
        LocalError: it cannot; the message says what to do.
    """
    wanted = missing(packages)
    if not wanted:
        return
    command = f"apt-get update && apt-get {' '.join(_INSTALL)} {' '.join(wanted)}"
    if shutil.which("apt-get") is None:
        raise LocalError(f"this needs the Debian packages {', '.join(wanted)}, and there is no apt-get here")
    if os.geteuid() != 0:
        raise LocalError(f"Debian packages are missing; run: sudo sh -c '{command}'")
    say(f"installing {len(wanted)} Debian packages: {' '.join(wanted)}")
    # Slim images of Debian lack it, and Java's packages fail without: they link their manual pages into it.
    _MANUALS.mkdir(parents=True, exist_ok=True)
    with _services_stay_stopped():
        _apt(["update", "-qq"])
        _check_removals(wanted)
        _apt([*_INSTALL, "-qq", *wanted])


def _check_removals(wanted: Sequence[str]) -> None:
    """Refuses, with its consequences named, an installation that would take packages away."""
    plan = _run(["apt-get", "install", "--no-install-recommends", "--simulate", "-q", *wanted])
    removed = [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Remv ")]
    if removed:
        raise LocalError(
            f"installing {', '.join(wanted)} would remove {', '.join(removed)} from this machine: nothing was changed; "
            "install the programs in another way, or remove those packages yourself, and run the command again"
        )


def _apt(arguments: Sequence[str]) -> None:
    command = ["apt-get", "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", *arguments]
    run = _run(command)
    if run.returncode != 0 and _INTERRUPTED in run.stdout + run.stderr:
        # An installation was killed, perhaps this program's own: dpkg first ends what it has begun.
        _run(["dpkg", "--configure", "-a"])
        run = _run(command)
    if run.returncode != 0:
        lines = [line.strip() for line in (run.stdout + run.stderr).splitlines() if "error" in line or line[:2] == "E:"]
        reason = lines[0] if lines else "no reason given"
        raise LocalError(f"`apt-get {arguments[0]}` failed: {reason}; mend that and run the command again")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@contextmanager
def _services_stay_stopped() -> Generator[None]:
    """Keeps packages from starting their services (PostgreSQL, Redis): they are none of ours, and would take ports.

    A policy of the machine's own stays; one that a killed run has left is taken over, so that it goes in the end.
    """
    if _SERVICE_POLICY.exists() and _SERVICE_POLICY.read_text() != POLICY_TEXT:
        yield
        return
    _SERVICE_POLICY.write_text(POLICY_TEXT)
    _SERVICE_POLICY.chmod(0o755)
    try:
        yield
    finally:
        _SERVICE_POLICY.unlink()
