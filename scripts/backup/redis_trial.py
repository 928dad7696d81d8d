"""A Redis backup loaded into a scratch server; where no redis-server is installed, its structure and checksum read."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from runbook.ops_settings import OpsSettings
from scripts import lazy, log
from scripts.backup import rdb
from scripts.backup.manifest import RedisManifest, differences, shortened
from scripts.backup.rdb import DamagedError, Tally
from scripts.backup.redis_backup import keyspaces
from scripts.backup.transfer import Stored
from scripts.clients import redis_server
from scripts.clients.child import Child
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, TemporaryError

_PROGRAM: Final = "redis-server"
_FILE: Final = "dump.rdb"
_POLL_SECONDS: Final = 0.1


def run(
    settings: OpsSettings, bucket: Bucket, manifest: RedisManifest, scratch: Path | None
) -> tuple[str, Mapping[str, int]]:
    """Load it where nobody sees it, and compare the keys of every database.

    Raises:
        CheckFailedError: the object is damaged, or its keys are not those of the manifest.
    """
    stored = Stored(bucket, settings.backup, manifest)
    program = shutil.which(_PROGRAM)
    if program is None:
        tally = Tally()
        _read(stored, stored.content(), tally, check=True)
        _compare(manifest, tally)
        # A server with `rdbchecksum no` writes none; SHA-256 of what it sent has been compared all the same.
        return f"parsed{' and its CRC-64 checked' if tally.checksum else ''}; no {_PROGRAM}", manifest.counts
    with tempfile.TemporaryDirectory(prefix="ops-redis-") as folder:
        tally = Tally()
        with (Path(folder) / _FILE).open("wb") as file:
            _read(stored, _written(stored.content(), file), tally, check=False)
        _compare(manifest, tally)
        log.info("trying the backup", id=manifest.id, program=program)
        with _scratch(program, Path(folder), settings) as client:
            facts = redis_server.info(client)
            found = {
                name: int(told["keys"]) for name, told in facts.items() if name.startswith("db") and name[2:].isdigit()
            }
            _expect(manifest, found)
            return f"loaded into a server of Redis {facts['redis_version']}", found


def _read(stored: Stored, chunks: Iterator[bytes], tally: Tally, *, check: bool) -> None:
    try:
        for _ in rdb.walk(lambda: next(chunks, b""), tally, check=check):
            pass
        # What compares the whole stream stands behind its last byte.
        for _ in chunks:
            pass
    except DamagedError as error:
        raise stored.damaged(str(error)) from None


def _written(chunks: Iterable[bytes], file: Any) -> Iterator[bytes]:
    for chunk in chunks:
        try:
            file.write(chunk)
            # Here and not when it is closed, where its error would stand in nobody's hands.
            file.flush()
        except OSError as error:
            raise TemporaryError(
                f"cannot write the scratch copy below {tempfile.gettempdir()}: {error.strerror}; "
                "give it room, or set TMPDIR to where there is"
            ) from None
        yield chunk


def _compare(manifest: RedisManifest, tally: Tally) -> None:
    _expect(manifest, {f"db{space.index}": space.keys for space in keyspaces(tally)})
    expiring = {f"db{space.index}": space.expiring for space in keyspaces(tally)}
    if expiring != {f"db{space.index}": space.expiring for space in manifest.databases}:
        raise CheckFailedError(f"backup {manifest.id}: the keys that expire are not those of the manifest")
    if tally.functions != manifest.functions:
        raise CheckFailedError(f"backup {manifest.id}: {tally.functions} functions instead of {manifest.functions}")


def _expect(manifest: RedisManifest, found: dict[str, int]) -> None:
    if wrong := differences(manifest.counts, found, "no keys"):
        raise CheckFailedError(f"backup {manifest.id} does not load: {shortened(wrong, 'databases')}")


@contextmanager
def _scratch(program: str, folder: Path, settings: OpsSettings) -> Generator[lazy.redis.Redis]:
    """A server that has loaded the RDB in ``folder``, reached by a socket there and by nobody else."""
    path = str(folder / "s")
    options = {
        "port": "0",
        "unixsocket": path,
        "dir": str(folder),
        "dbfilename": _FILE,
        "save": "",
        "appendonly": "no",
        "maxmemory": "0",
        "databases": "10000",
        # A replica loads keys that have expired meanwhile, and leaves them: only so are the counts exact. Its master
        # is a port on which nobody can listen.
        "replicaof": "127.0.0.1 0",
        "loglevel": "warning",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", *value.split(" "))]
    # Whoever starts a server and is killed must not leave it behind.
    tied = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    with (
        Child([*tied, program, *arguments], environment, (), feeds=False) as child,
        redis_server.connect(settings.redis, socket_path=path) as client,
    ):
        _await(child, client)
        yield client


def _await(child: Child, client: lazy.redis.Redis) -> None:
    """Wait until it has loaded; the command's deadline ends this too."""
    while True:
        if child.ended:
            code, stderr = child.wait()
            output = child.pipe.read().decode(errors="replace")
            raise CheckFailedError(f"the scratch {_PROGRAM} ended with code {code}: {stderr or output[-500:]}")
        try:
            if not int(redis_server.info(client)["loading"]):
                return
        except (lazy.redis.ConnectionError, lazy.redis.BusyLoadingError):
            pass
        except lazy.redis.RedisError as error:
            raise TemporaryError(f"the scratch {_PROGRAM}: {error}") from None
        time.sleep(_POLL_SECONDS)
