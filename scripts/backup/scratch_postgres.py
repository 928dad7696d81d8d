"""A throwaway PostgreSQL: a backup is tried there, and the production server never sees it.

In a job's pod it is a container of its own that runs the production's image; its socket lies in a shared folder.
Elsewhere the server program that is installed is started, with its files in a temporary folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runbook import scratch
from runbook.units import size
from scripts import log
from scripts.clients import pgtools, postgres, sockets
from scripts.clients.child import Child
from scripts.clients.pgtools import Program
from scripts.clients.postgres import Access
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError

_POLL_SECONDS: Final = 0.05


@contextmanager
def server(folder: Path | None, major: int, database_bytes: int) -> Generator[Access]:
    """A server of version ``major`` with room for a database of ``database_bytes``; the superuser's access.

    ``folder`` has the socket of one that listens already.

    Raises:
        UsageError: no server program of that version is installed, or another version listens there.
        TemporaryError: there is too little room, or the server does not come up.
    """
    needed = database_bytes + scratch.POSTGRES_OVERHEAD_BYTES
    if folder is not None:
        with sockets.reachable(folder) as short:
            _check_room(folder, needed)
            yield _listening(folder, short, major)
        return
    program = _program(major)
    with tempfile.TemporaryDirectory(prefix="ops-postgres-") as name:
        place = Path(name)
        _check_room(place, needed)
        with _started(program, place) as access:
            yield access


def version(access: Access) -> str:
    """The release of a server, such as 15.18."""
    with postgres.connect(access, postgres.MAINTENANCE_DATABASE, application="ops verify") as connection:
        return (connection.info.parameter_status("server_version") or "").split()[0]


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TemporaryError(
            f"trying the backup needs {size(needed)} below {folder}, and {size(free)} are free; "
            "nothing was touched, give it room (a larger scratch volume, or TMPDIR)"
        )


def _listening(folder: Path, short: str, major: int) -> Access:
    access = Access(short, scratch.POSTGRES_PORT, scratch.POSTGRES_SUPERUSER, "")
    with postgres.connect(access, postgres.MAINTENANCE_DATABASE, application="ops verify") as connection:
        found = connection.info.server_version // 10000
    if found != major:
        raise UsageError(f"the throwaway server in {folder} is PostgreSQL {found} and the backup's is {major}")
    return access


def _program(major: int) -> Program:
    try:
        found = pgtools.find("postgres", major)
    except UsageError:
        found = None
    if found is None or found.major != major:
        raise UsageError(
            f"trying the backup needs a throwaway server of PostgreSQL {major}, and none is installed here; install "
            f"postgresql-{major}, or start a job of the CronJob backup-verify, which has one beside it"
        )
    return found


@contextmanager
def _started(program: Program, place: Path) -> Generator[Access]:
    user = _account()
    if user is not None:
        os.chown(place, user.pw_uid, user.pw_gid)
    data = place / "data"
    environment = {"LC_ALL": "C.UTF-8", "PATH": f"{Path(program.path).parent}:/usr/bin:/bin", "TZ": "UTC"}
    initdb = [
        "initdb",
        f"--pgdata={data}",
        f"--username={scratch.POSTGRES_SUPERUSER}",
        "--auth=trust",
        "--no-sync",
        "--encoding=UTF8",
    ]
    made = subprocess.run(_as(user, initdb), env=environment, capture_output=True, text=True, check=False, cwd=place)
    if made.returncode != 0:
        raise TemporaryError(f"initdb of the throwaway server: {made.stderr.strip() or made.returncode}")
    # Relative to the data, because a socket's name must be short.
    settings = {**scratch.POSTGRES_SETTINGS, "unix_socket_directories": ".."}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = _as(user, [program.path, "-D", str(data), "-p", str(scratch.POSTGRES_PORT), *options], tied=True)
    with sockets.reachable(place) as short, Child(command, environment, (), feeds=False) as child:
        access = Access(short, scratch.POSTGRES_PORT, scratch.POSTGRES_SUPERUSER, "")
        log.info("throwaway server started", version=program.version, pid=child.pid)
        while not _answers(child, access):
            time.sleep(_POLL_SECONDS)
        yield access


def _answers(child: Child, access: Access) -> bool:
    if child.ended:
        code, stderr = child.wait()
        raise CheckFailedError(f"the throwaway server ended with code {code}: {stderr}")
    try:
        with postgres.connect(access, postgres.MAINTENANCE_DATABASE, application="ops verify"):
            return True
    except OpsError:
        return False


def _account() -> pwd.struct_passwd | None:
    """The account that runs it instead of root, which PostgreSQL refuses; None where this is not root."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
    return accounts.get("postgres") or accounts["nobody"]


def _as(user: pwd.struct_passwd | None, command: Sequence[str], *, tied: bool = False) -> list[str]:
    """The command as ``user``; one that is ``tied`` ends with this process, however that ends."""
    options = [] if user is None else [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    options += ["--pdeathsig=KILL"] if tied else []
    return ["setpriv", *options, "--", *command] if options and shutil.which("setpriv") else list(command)
