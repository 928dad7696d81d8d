"""The endpoint's state on disk: snapshots that are whole or absent, and the one before as a fallback."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import moto
from moto.backends import get_backend
from moto.s3.models import FakeKey, FakeMultipart, s3_backends

from local.aws.bodies import BodyStore
from local.aws.pickling import dump_state, load_state

log = logging.getLogger("local.aws.store")

KEPT_SERVICES = ("s3", "kms", "iam", "sts")
"""The services whose state outlives the process; the program uses no others."""

_FORMAT = "crypto-operations-aws-state/1"


class StateInUseError(Exception):
    """Another server holds the state folder."""


class BrokenSnapshotError(Exception):
    """A snapshot that cannot be used: cut short, altered, or of bodies that are gone."""


class StateStore:
    """Reads and writes the state of moto's backends in one folder.

    `state.snapshot` is one JSON line (format, moto version, length and SHA-256 of the payload) and the pickled payload;
    `previous.snapshot` is the one before it; `bodies/` holds the objects' bodies. Callers must not let requests run
    during `save`.
    """

    def __init__(self, folder: Path) -> None:
        """Raises StateInUseError when another server works on `folder`, OSError when it cannot be written."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock_file = _lock(folder / "lock")
        self._current = folder / "state.snapshot"
        self._previous = folder / "previous.snapshot"
        self._bodies = BodyStore(folder / "bodies")
        self._saved_checksum = ""
        self._saved_digests: set[str] = set()

    def load(self) -> str:
        """Put the newest usable snapshot into moto's backends; returns "current", "previous" or "empty"."""
        for name, path in (("current", self._current), ("previous", self._previous)):
            if not path.exists():
                continue
            try:
                _install(_read_snapshot(path, self._bodies))
            except BrokenSnapshotError as error:
                _move_aside(path, error)
                continue
            return name
        return "empty"

    def save(self, *, durable: bool = False) -> bool:
        """Write the state if it changed since the last call; returns whether it did. Raises OSError (disk full).

        A finished call outlives SIGKILL of this process; with `durable` also a power cut (fsync).
        """
        payload, digests = dump_state(_collect(), self._bodies)
        _forget_instances()
        checksum = hashlib.sha256(payload).hexdigest()
        if checksum == self._saved_checksum and not durable:
            return False
        _write_snapshot(self._folder / "next.snapshot", payload, checksum, durable=durable)
        self._rotate()
        self._bodies.drop_all_but(digests | self._saved_digests)
        self._saved_checksum, self._saved_digests = checksum, digests
        return True

    def _rotate(self) -> None:
        if self._current.exists():
            fallback = self._folder / "fallback.snapshot"
            fallback.unlink(missing_ok=True)
            fallback.hardlink_to(self._current)
            fallback.replace(self._previous)
        (self._folder / "next.snapshot").replace(self._current)

    def close(self) -> None:
        """Let another server use the folder."""
        self._lock_file.close()


def _lock(path: Path) -> IO[str]:
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StateInUseError(f"the state folder {path.parent} is in use by process {owner}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _collect() -> dict[tuple[str, str, str], dict[str, Any]]:
    return {
        (service, account, region): backend.__dict__
        for service in KEPT_SERVICES
        for account, region, backend in get_backend(service).iter_backends()  # type: ignore[arg-type] - moto names its services in a Literal
    }


def _install(state: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    for (service, account, region), attributes in state.items():
        backend: object = get_backend(service)[account][region]  # type: ignore[call-overload] - moto names its services in a Literal
        vars(backend).update(attributes)
        for bucket in attributes.get("buckets", ()):
            # moto keeps the owners of buckets, whose names are global, beside its backends.
            s3_backends.bucket_accounts[bucket] = (region, account)


def _forget_instances() -> None:
    # moto lists every object it ever made for its dashboard, which would keep the memory of deleted objects for ever.
    tracked: tuple[Any, ...] = (FakeKey, FakeMultipart)
    for kind in tracked:
        kind.instances_tracked.clear()


def _write_snapshot(path: Path, payload: bytes, checksum: str, *, durable: bool) -> None:
    header = {"format": _FORMAT, "moto": moto.__version__, "bytes": len(payload), "sha256": checksum}
    with path.open("wb") as file:
        file.write(json.dumps(header).encode() + b"\n")
        file.write(payload)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def _read_snapshot(path: Path, bodies: BodyStore) -> dict[tuple[str, str, str], dict[str, Any]]:
    try:
        head, _, payload = path.read_bytes().partition(b"\n")
        header: dict[str, Any] = json.loads(head)
        damage = _damage(header, payload)
        state = None if damage else load_state(payload, bodies)
    except Exception as error:  # a pickle of another moto version can raise anything
        raise BrokenSnapshotError(f"{type(error).__name__}: {error}") from error
    if damage:
        raise BrokenSnapshotError(damage)
    return cast("dict[tuple[str, str, str], dict[str, Any]]", state)


def _damage(header: Mapping[str, Any], payload: bytes) -> str:
    if header["format"] != _FORMAT:
        return f"its format is {header['format']}, this server reads {_FORMAT}"
    matches = hashlib.sha256(payload).hexdigest() == header["sha256"]
    return "" if matches else f"its {len(payload)} bytes do not match the checksum"


def _move_aside(path: Path, error: BrokenSnapshotError) -> None:
    aside = path.with_name(f"broken-{time.strftime('%Y%m%dT%H%M%S')}-{path.name}")
    path.replace(aside)
    log.error("snapshot-broken file=%s moved-to=%s reason=%s", path, aside, json.dumps(str(error)))
