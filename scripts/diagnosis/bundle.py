"""``ops diagnose``: gathers all parts side by side and writes them as one file."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from runbook.ops_settings import OpsSettings
from runbook.units import duration, size
from scripts import redact
from scripts.clients import background
from scripts.clients.directory import replacing
from scripts.diagnosis import parts
from scripts.diagnosis.parts import Part
from scripts.exits import CheckFailedError, OpsError, UsageError
from scripts.output import Outcome, Screen, one_line

INDEX: Final = "index.json"
# Clients are given the deadline themselves and then say what did not answer; this is for those that do not keep it.
_GRACE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Gathered:
    """A part with its files' texts, or why there are none."""

    name: str
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: str = ""
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """A written bundle."""

    path: Path
    bytes: int
    parts: int
    files: int
    failed: tuple[str, ...]


def run(settings: OpsSettings, output: Path | None, *, timeout: float) -> Outcome:
    """Write the bundle to ``output``, else into this directory; a part that fails is named in it."""
    start = time.monotonic()
    path = output or Path(f"diagnosis-{settings.namespace}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    found = write(settings, path, timeout)

    def show(screen: Screen) -> None:
        took = duration(time.monotonic() - start)
        text = f"{found.path}: {found.files} files of {found.parts} parts, {size(found.bytes)}, in {took}"
        screen.document(text + "\n")
        for name in found.failed:
            screen.line(f"without {name}: see {INDEX} in it")

    return Outcome({**asdict(found), "path": str(found.path)}, show)


def write(settings: OpsSettings, path: Path, seconds: float) -> Bundle:
    """Gather everything, each part within ``seconds``, and write the bundle; it is there whole or not at all.

    Raises:
        CheckFailedError: not a single part could be gathered.
        UsageError: the file cannot be written.
    """
    gathered = _gather(settings, seconds)
    failed = tuple(each.name for each in gathered if each.problem)
    if len(failed) == len(gathered):
        raise CheckFailedError(f"nothing could be gathered: {gathered[0].name}: {gathered[0].problem}")
    try:
        written = _write(path, settings.namespace, gathered)
    except OSError as error:
        raise UsageError(f"cannot write the bundle {path}: {error.strerror or error}") from None
    files = sum(len(each.files) for each in gathered)
    return Bundle(path, written, len(gathered), files, failed)


def _gather(settings: OpsSettings, seconds: float) -> list[Gathered]:
    try:
        pods = parts.list_pods(settings.namespace, seconds)
    except OpsError as error:
        return [
            Gathered("pods and their logs", problem=_told(error)),
            *collect(parts.everything(settings, None), seconds),
        ]
    return collect(parts.everything(settings, pods), seconds)


def collect(wanted: Sequence[Part], seconds: float) -> list[Gathered]:
    """All parts side by side, in their order; one that fails or hangs costs no other anything."""
    found = background.within(seconds + _GRACE_SECONDS, [(part.name, partial(_one, part, seconds)) for part in wanted])
    late = f"no answer within {seconds:g} s"
    return [
        gathered or Gathered(part.name, problem=late, took=seconds)
        for part, gathered in zip(wanted, found, strict=True)
    ]


def _one(part: Part, seconds: float) -> Gathered:
    start = time.monotonic()
    try:
        files, problem = dict(part.gather(seconds)), ""
    except Exception as error:  # noqa: BLE001 - it is told in the bundle
        files, problem = dict[str, str](), _told(error)
    return Gathered(part.name, files, problem, time.monotonic() - start)


def _told(error: Exception) -> str:
    text = str(error) if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
    return redact.clean(one_line(text))


def _write(path: Path, namespace: str, gathered: Sequence[Gathered]) -> int:
    now = datetime.now(UTC)
    index = {
        "namespace": namespace,
        "at": now.isoformat(timespec="seconds"),
        "parts": [
            {"name": each.name, "took": round(each.took, 3), "files": sorted(each.files)}
            | ({"failed": each.problem} if each.problem else {})
            for each in gathered
        ],
    }
    root = f"diagnosis-{namespace}-{now:%Y%m%dT%H%M%SZ}"
    with replacing(path) as target, tarfile.open(fileobj=target, mode="w:gz") as archive:
        _add(archive, f"{root}/{INDEX}", json.dumps(index), now)
        for each in gathered:
            for file, text in each.files.items():
                _add(archive, f"{root}/{file}", text, now)
    return path.stat().st_size


def _add(archive: tarfile.TarFile, name: str, text: str, now: datetime) -> None:
    # The one door to the bundle: nothing gets in without its secrets removed.
    whole = name.endswith(".json")
    cleaned = json.dumps(redact.plain(json.loads(text)), indent=1) if whole else redact.clean(text)
    content = cleaned.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), int(now.timestamp()), 0o600
    archive.addfile(entry, io.BytesIO(content))
