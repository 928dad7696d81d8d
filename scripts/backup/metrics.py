"""``ops backups metrics``: what the bucket holds, as Prometheus reads it.

The times are those of the backups and not of the runs that made them: a job that succeeds and leaves nothing behind
cannot make them younger. RPO is ``time() - crypto_backup_proven_timestamp_seconds``, RTO is
``crypto_backup_restore_seconds``.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from runbook.ops_settings import OpsSettings
from scripts import lazy, log, redact
from scripts.backup import trial
from scripts.backup.catalog import Catalog, Verified
from scripts.backup.keys import BackupId
from scripts.backup.manifest import Manifest
from scripts.clients.s3 import Bucket
from scripts.exits import CheckFailedError, OpsError, Stop, TemporaryError, UsageError
from scripts.output import Outcome

# Backups change once a day; an alert on them waits for minutes.
REFRESH_SECONDS: Final = 120.0
_IDLE_SECONDS: Final = 30.0

_HELP: Final[Mapping[str, str]] = {
    "crypto_backup_count": "Complete backups in the bucket.",
    "crypto_backup_newest_timestamp_seconds": "Moment that the newest complete backup brings back.",
    "crypto_backup_proven_timestamp_seconds": "Moment that the newest proven backup brings back (RPO: its age).",
    "crypto_backup_restore_seconds": "What the restore of the newest proven backup took (RTO).",
    "crypto_backup_stored_bytes": "Size of the newest complete backup in the bucket.",
    "crypto_backup_duration_seconds": "What the newest complete backup took.",
    "crypto_backup_shrunk": "Whether the newest proven backup has shrunk and nobody accepted that: it supersedes none.",
}
_UP: Final = "crypto_backup_bucket_up"


def run(settings: OpsSettings) -> Outcome:
    """Print the metrics.

    Raises:
        OpsError: the bucket does not answer.
    """
    text = exposition(read(settings), up=True)
    return Outcome({"metrics": text}, lambda screen: screen.document(text))


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a kind: how many complete backups, and the newest that is readable and the newest proven one."""

    complete: int
    newest: Manifest | None
    proven: Verified[Manifest] | None


def read(settings: OpsSettings) -> dict[str, Found]:
    """What there is of each kind."""
    return {kind: _found(catalog) for kind, catalog in trial.catalogs(settings, Bucket(settings.backup)).items()}


def _found(catalog: Catalog[Manifest]) -> Found:
    present = catalog.etags()
    complete = catalog.ids(present)
    return Found(len(complete), _newest(catalog, complete), catalog.newest_proven(present))


def _newest(catalog: Catalog[Manifest], complete: Sequence[BackupId]) -> Manifest | None:
    for backup in complete:
        try:
            return catalog.manifest(backup)
        except (CheckFailedError, UsageError) as error:
            log.warning("a backup is left out", id=str(backup), reason=redact.clean(str(error)))
    return None


def exposition(found: Mapping[str, Found], *, up: bool) -> str:
    """The metrics in Prometheus's text format. A kind without a proven backup has no time of one."""
    registry = lazy.prometheus_client.CollectorRegistry()
    for name, words in _HELP.items():
        values = {kind: value for kind, of in found.items() for each, value in _of_kind(of) if each == name}
        if values:
            gauge = lazy.prometheus_client.Gauge(name, words, ["kind"], registry=registry)
            for kind, value in values.items():
                gauge.labels(kind).set(value)
    words = "Whether the bucket answered the last time it was asked."
    lazy.prometheus_client.Gauge(_UP, words, registry=registry).set(float(up))
    return lazy.prometheus_client.generate_latest(registry).decode()


def _of_kind(found: Found) -> Iterator[tuple[str, float]]:
    yield "crypto_backup_count", float(found.complete)
    if found.newest is not None:
        yield "crypto_backup_newest_timestamp_seconds", found.newest.snapshot_at.timestamp()
        yield "crypto_backup_stored_bytes", float(found.newest.stored.bytes)
        yield "crypto_backup_duration_seconds", found.newest.duration_seconds
    if found.proven is not None:
        yield "crypto_backup_proven_timestamp_seconds", found.proven.manifest.snapshot_at.timestamp()
        yield "crypto_backup_restore_seconds", found.proven.proof.duration_seconds
        yield "crypto_backup_shrunk", float(found.proven.shrunk is not None)


class _State:
    """What was read last; read anew once it is old, by one request at a time."""

    def __init__(self, load: Callable[[], OpsSettings]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._found: dict[str, Found] = {}
        self._up = False

    def text(self) -> str:
        with self._lock:
            if self._read_at is None or time.monotonic() - self._read_at > REFRESH_SECONDS:
                self._refresh()
            return exposition(self._found, up=self._up)

    def _refresh(self) -> None:
        self._read_at = time.monotonic()
        try:
            self._found, self._up = read(self._load()), True
        except OpsError as error:
            # What was known stays true: the times in it grow old by themselves.
            log.error("the bucket was not read", reason=redact.clean(str(error)))
            self._up = False


class _Server(ThreadingHTTPServer):
    """Says in one line what went wrong with a request, and nothing of a client that went away."""

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class names them
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            log.error("a request was not answered", reason=redact.clean(f"{type(error).__name__}: {error}"))


def serve(load: Callable[[], OpsSettings], port: int) -> Outcome:
    """Serve the metrics until the process is told to end; where the bucket does not answer, they say so.

    Raises:
        TemporaryError: the port is taken.
    """
    state = _State(load)

    class Handler(BaseHTTPRequestHandler):
        # A client that says nothing does not keep a thread for ever.
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            pages = {"/metrics": state.text, "/healthz": lambda: "ok\n"}
            page = pages.get(self.path)
            body = b"not here; see /metrics\n" if page is None else page().encode()
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Type", lazy.prometheus_client.CONTENT_TYPE_PLAIN_0_0_4)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Nothing: a line for every scrape says nothing."""

    try:
        server = _Server(("", port), Handler)
    except OSError as error:
        raise TemporaryError(f"cannot listen on port {port}: {error.strerror}; give another with --listen") from None
    log.info("serving metrics", port=server.server_port)
    try:
        server.serve_forever()
    except Stop:
        log.info("told to end")
    finally:
        server.server_close()
    return Outcome({"served": True}, lambda screen: screen.line("Ended."))
