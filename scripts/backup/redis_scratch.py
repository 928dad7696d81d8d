"""A throwaway ``redis-server`` that has loaded a backup, for a verification and for a restore alike.

Redis itself reads what Redis has written, and gives each value as RESTORE takes it. A socket in a private folder, or in
a volume of the pod, is the one way to the server.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from runbook import scratch as scratch_servers
from runbook.ops_settings import OpsSettings, RedisTarget
from runbook.units import size
from scripts import lazy, log
from scripts.backup import redis_staging
from scripts.backup.catalog import Catalog
from scripts.backup.manifest import Keyspace, RedisManifest, differences, shortened
from scripts.backup.proof import Proof
from scripts.backup.transfer import Stored
from scripts.clients import redis_server, sockets
from scripts.clients.child import Child
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, OpsError, TemporaryError, UsageError

_PROGRAM: Final = "redis-server"
_FILE: Final = "dump.rdb"
_LOG: Final = "log"
_POLL_SECONDS: Final = 0.05
_START_SECONDS: Final = 60.0
# Keys that one step of SCAN looks at, and bytes after which their values are handed on.
_BATCH_KEYS: Final = 1000
_BATCH_BYTES: Final = 2**20
# A writable replica remembers keys that expire, and keeps their names, in its first 64 databases only.
_REMEMBERED: Final = 64
# The keys of one step of SCAN, or those that the last call has left: each as expiry (ms since 1970, -1: none), lengths,
# name and value, one behind the other. A pipeline would answer with all values at once, and redis-py takes 10 us for
# each part of an answer.
_DUMP: Final = """
local cursor, names, packed, bytes = ARGV[1], KEYS, {}, 0
if #names == 0 then
  local found = redis.call('SCAN', cursor, 'COUNT', ARGV[2])
  cursor, names = found[1], found[2]
end
for number, name in ipairs(names) do
  local value = redis.call('DUMP', name)
  if value then
    local head = struct.pack('<dI4I4', redis.call('PEXPIRETIME', name), #name, #value)
    packed[#packed + 1] = head .. name .. value
    bytes = bytes + #value
  end
  if bytes >= tonumber(ARGV[3]) then
    return {cursor, table.concat(packed), {unpack(names, number + 1)}}
  end
end
return {cursor, table.concat(packed), {}}
"""
_HEAD: Final = struct.Struct("<dII")


class Key(NamedTuple):
    """A key: ``expires`` in milliseconds since 1970, -1 for never; ``value`` as DUMP gives it."""

    name: bytes
    expires: int
    value: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a throwaway server listens and has its files; ``short`` is that folder, ``child`` what ops has started."""

    target: RedisTarget
    folder: Path
    short: str
    child: Child | None = None

    @property
    def socket(self) -> str:
        return str(self.folder / scratch_servers.REDIS_SOCKET)

    def connect(self, database: int = 0) -> AbstractContextManager[lazy.redis.Redis]:
        """A client. Loading takes as long as it takes: the command's deadline ends it, and a lost server at once."""
        path = f"{self.short}/{scratch_servers.REDIS_SOCKET}"
        return redis_server.connect(self.target, database, socket_path=path, seconds=None)

    def said(self) -> str:
        """What the server that ops has started said last, for a message."""
        file = self.folder / _LOG
        if self.child is None or not file.exists():
            return "its log says why; where it was killed for its memory, give it more"
        lines = file.read_text(errors="replace").splitlines()
        # It tells every second that the master of its name is not there.
        return next((line for line in reversed(lines) if "SYNC" not in line), "it says nothing")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A throwaway server with a backup: ``spaces`` are its exact keys, without the databases of a running restore.

    ``functions`` is what FUNCTION DUMP gives, ``digests`` has DEBUG DIGEST by the server's version.
    """

    place: _Place
    version: str
    rdb_version: int
    spaces: tuple[Keyspace, ...]
    libraries: int
    functions: bytes
    digests: Mapping[str, str]

    @property
    def counts(self) -> dict[str, int]:
        return _counts(self.spaces)

    @property
    def total(self) -> int:
        """All keys, also those that have expired since."""
        return sum(self.counts.values())

    @property
    def method(self) -> str:
        """How a backup is proven that was loaded here."""
        return f"loaded into a server of Redis {self.version} and restored there"

    def connect(self, database: int = 0) -> AbstractContextManager[lazy.redis.Redis]:
        """A client of the throwaway server."""
        return self.place.connect(database)

    def batches(self, database: int) -> Iterator[list[Key]]:
        """The keys of a database that have not expired, at most a thousand or some megabytes at a time."""
        with self.connect(database) as client:
            untyped: Any = client
            cursor, left = b"0", list[bytes]()
            while True:
                cursor, packed, left = untyped.eval(_DUMP, len(left), *left, cursor, _BATCH_KEYS, _BATCH_BYTES)
                if packed:
                    yield list({key.name: key for key in _unpacked(packed)}.values())
                if cursor == b"0" and not left:
                    return


def _unpacked(packed: bytes) -> Iterator[Key]:
    at = 0
    while at < len(packed):
        expires, name, value = _HEAD.unpack_from(packed, at)
        at += _HEAD.size
        yield Key(packed[at : at + name], int(expires), packed[at + name : at + name + value])
        at += name + value


@contextmanager
def loaded(settings: OpsSettings, bucket: Bucket, manifest: RedisManifest, scratch: Path | None) -> Generator[Loaded]:
    """A throwaway server with the backup: the one that listens in ``scratch``, else an installed one is started.

    Raises:
        CheckFailedError: the backup is damaged, or what is in it is not what its manifest or its proof says.
        UsageError: there is no such server, it is too old, or too little memory or too few databases are given to it.
        TemporaryError: there is no room for the RDB, or the server was killed.
    """
    stored = Stored(bucket, settings.backup, manifest)
    record = Catalog(bucket, settings, RedisManifest).record(manifest)
    proof = record.proof if record is not None and record.proven else None
    with _server(settings, manifest, scratch) as place:
        with place.connect() as client:
            _prepare(client, place, manifest)
            _write(stored, manifest, place.folder)
            log.info("trying the backup", id=manifest.id, server=place.socket)
            _load(client, place, stored)
            found = _look(client, place, manifest)
        _compare(manifest, found, proof)
        yield found


def rdb_version(client: lazy.redis.Redis) -> int:
    """The newest version of RDB that the server reads; what DUMP gives ends with it and eight bytes of a checksum."""
    untyped: Any = client
    return int.from_bytes(cast("bytes", untyped.function_dump())[-10:-8], "little")


@contextmanager
def _server(settings: OpsSettings, manifest: RedisManifest, scratch: Path | None) -> Generator[_Place]:
    if scratch is not None:
        folder = scratch / scratch_servers.REDIS
        with sockets.reachable(folder) as short:
            place = _Place(settings.redis, folder, short)
            _await(place)
            _refuse_keys(place)
            try:
                yield place
            finally:
                _empty(place)
        return
    program = shutil.which(_PROGRAM)
    if program is None:
        raise UsageError(
            f"a backup of Redis is read by a throwaway {_PROGRAM}, and none is installed here; install version "
            f"{manifest.server_version} or newer, or use the image of ops, which has one"
        )
    with (
        tempfile.TemporaryDirectory(prefix="ops-redis-") as name,
        sockets.reachable(Path(name)) as short,
        _started(program, Path(name), manifest) as child,
    ):
        place = _Place(settings.redis, Path(name), short, child)
        _await(place)
        yield place


def _started(program: str, folder: Path, manifest: RedisManifest) -> Child:
    options = {
        **scratch_servers.REDIS_SETTINGS,
        # Below `dir`, by a name that is short enough.
        "unixsocket": scratch_servers.REDIS_SOCKET,
        "dir": str(folder),
        "dbfilename": _FILE,
        "logfile": str(folder / _LOG),
        "databases": str(_databases(manifest) + _REMEMBERED),
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    # The server ends with ops, also where ops is killed.
    tied = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    return Child([*tied, program, *arguments], {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}, (), feeds=False)


def _await(place: _Place) -> None:
    """Wait until it answers."""
    began = time.monotonic()
    while True:
        try:
            with place.connect() as client:
                redis_server.info(client, "server")
                return
        except TemporaryError:
            if place.child is not None and place.child.ended:
                _, stderr = place.child.wait()
                output = place.child.pipe.read().decode(errors="replace")
                raise UsageError(
                    f"the installed {_PROGRAM} does not start as a throwaway server, for which 7.0 or newer is needed: "
                    f"{(stderr or output or place.said())[-500:]}"
                ) from None
            if time.monotonic() - began > _START_SECONDS:
                raise
        time.sleep(_POLL_SECONDS)


def _refuse_keys(place: _Place) -> None:
    """Raise where the server holds what no verification has loaded; one that was killed leaves a replica of no port."""
    with place.connect() as client:
        if redis_staging.databases(client).spaces and redis_server.info(client).get("master_port") != 0:
            raise UsageError(
                f"the Redis at {place.socket} holds keys: a throwaway server is empty, and loses all that it has"
            )


def _prepare(client: lazy.redis.Redis, place: _Place, manifest: RedisManifest) -> None:
    """Make the server one that loads the backup as it is.

    A replica loads keys that have expired meanwhile, and leaves them: only so are the counts exact. Its master is port
    0, on which no server can listen.
    """
    untyped: Any = client
    untyped.replicaof("127.0.0.1", 0)
    untyped.config_set("replica-read-only", "no", "replica-serve-stale-data", "yes", "save", "", "appendonly", "no")
    untyped.flushall()
    untyped.function_flush()
    _fits(client, place, manifest)
    file = place.folder / _FILE
    file.unlink(missing_ok=True)
    untyped.save()
    if not file.exists():
        raise UsageError(
            f"the throwaway Redis at {place.socket} keeps its files elsewhere; start it with `dir {place.folder}` and "
            f"`dbfilename {_FILE}`"
        )
    file.unlink()


def _fits(client: lazy.redis.Redis, place: _Place, manifest: RedisManifest) -> None:
    """Raise where the server is too old or too small for the backup."""
    facts, version = redis_server.info(client), rdb_version(client)
    if version < manifest.rdb_version:
        raise UsageError(
            f"backup {manifest.id} is of Redis {manifest.server_version} (RDB {manifest.rdb_version}), and the "
            f"throwaway server is Redis {facts['redis_version']}, which reads up to RDB {version}; install {_PROGRAM} "
            f"{manifest.server_version} or newer"
        )
    count, needed = redis_staging.databases(client).count, _databases(manifest)
    if count < needed:
        raise UsageError(
            f"the throwaway Redis at {place.socket} has {count} databases, and backup {manifest.id} needs {needed}; "
            "set its `databases` higher"
        )
    used, most = int(facts["used_memory"]), int(facts["maxmemory"])
    if most and used + manifest.used_memory_bytes > most:
        raise UsageError(
            f"backup {manifest.id} needs about {size(manifest.used_memory_bytes)} of memory, and the throwaway Redis "
            f"at {place.socket} has {size(most)}; give it more"
        )


def _databases(manifest: RedisManifest) -> int:
    """How many databases a throwaway server needs: those of the backup, one to stage for each, and that of the lock."""
    highest = max((space.index for space in manifest.databases), default=0)
    return 2 * max(manifest.server_databases or 0, highest + 1) + 1


def _write(stored: Stored, manifest: RedisManifest, folder: Path) -> None:
    """The backup's RDB as the server's file."""
    needed, free = manifest.uncompressed.bytes, shutil.disk_usage(folder).free
    if needed > free:
        raise TemporaryError(
            f"the throwaway copy of backup {manifest.id} needs {size(needed)} below {folder}, where {size(free)} are "
            "free; give it room, or set TMPDIR to where there is"
        )
    content = stored.content()
    with (folder / _FILE).open("wb") as file:
        for chunk in content:
            try:
                file.write(chunk)
                # Before the file is closed, whose error would come outside of this block.
                file.flush()
            except OSError as error:
                raise TemporaryError(
                    f"cannot write the throwaway copy below {folder}: {error.strerror}; give it room, or set TMPDIR to "
                    "where there is"
                ) from None
    # A server in a container of its own runs as another user.
    (folder / _FILE).chmod(0o644)


def _load(client: lazy.redis.Redis, place: _Place, stored: Stored) -> None:
    untyped: Any = client
    try:
        untyped.execute_command("DEBUG RELOAD", "NOSAVE")
    except lazy.redis.ConnectionError:
        raise _ended(place, stored) from None
    except lazy.redis.ResponseError as error:
        if "enable-debug-command" in str(error):
            raise UsageError(
                f"the throwaway Redis at {place.socket} refuses DEBUG; start it with `enable-debug-command local`"
            ) from None
        raise stored.damaged(f"its RDB does not load: {place.said()}") from None
    (place.folder / _FILE).unlink()


def _ended(place: _Place, stored: Stored) -> OpsError:
    """A server that ends while it loads has found damage, and one that was killed had too little memory."""
    if place.child is None:
        # Damage is an answer of the server, which goes on: one that ends has rather had too little memory.
        return TemporaryError(
            f"the throwaway Redis at {place.socket} ended while it loaded; where its container was killed for its "
            "memory, give it more"
        )
    code = place.child.wait()[0]
    if code < 0:
        return TemporaryError(
            f"the throwaway {_PROGRAM} was killed by signal {-code} while it loaded, as the kernel does where memory "
            "ends; give the machine more"
        )
    return stored.damaged(f"the throwaway server ended while it loaded its RDB: {place.said()}")


def _look(client: lazy.redis.Redis, place: _Place, manifest: RedisManifest) -> Loaded:
    """What has been loaded, once the databases of a restore that ran at the time are dropped."""
    untyped: Any = client
    there = redis_staging.databases(client)
    if manifest.server_databases is not None:
        users = redis_staging.users_databases(client, manifest.server_databases - 1)
        for number in there.spaces.keys() - users.spaces.keys():
            redis_staging.execute(client, number, ("FLUSHDB",))
        there = users
    version = str(redis_server.info(client, "server")["redis_version"])
    digest: bytes = untyped.execute_command("DEBUG DIGEST")
    return Loaded(
        place,
        version,
        rdb_version(client),
        tuple(there.spaces[number] for number in sorted(there.spaces)),
        len(untyped.function_list()),
        untyped.function_dump(),
        {version: digest.decode()},
    )


def _compare(manifest: RedisManifest, found: Loaded, proof: Proof | None) -> None:
    if manifest.exact:
        _expect(manifest, manifest.counts, found.counts)
        if [space.expiring for space in manifest.databases] != [space.expiring for space in found.spaces]:
            raise CheckFailedError(f"backup {manifest.id}: the keys that expire are not those of the manifest")
        if found.libraries != manifest.functions:
            raise CheckFailedError(
                f"backup {manifest.id}: {found.libraries} libraries of functions instead of {manifest.functions}"
            )
    if proof is None:
        return
    _expect(manifest, proof.counts, found.counts)
    if proof.digests.keys() & found.digests.keys() and not proof.digests.items() & found.digests.items():
        raise CheckFailedError(f"backup {manifest.id}: its digest is not the one with which it was proven")


def _expect(manifest: RedisManifest, expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    if wrong := differences(expected, found, "no keys"):
        raise CheckFailedError(f"backup {manifest.id} does not load: {shortened(wrong, 'databases')}")


def _counts(spaces: tuple[Keyspace, ...]) -> dict[str, int]:
    return {f"db{space.index}": space.keys for space in spaces}


def _empty(place: _Place) -> None:
    """Give back the memory and the room of a server that goes on."""
    (place.folder / _FILE).unlink(missing_ok=True)
    try:
        with place.connect() as client:
            untyped: Any = client
            untyped.flushall()
            untyped.function_flush()
    except OpsError as error:
        log.warning("could not empty the throwaway Redis", reason=str(error))
