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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from runbook.ops_settings import OpsSettings
from scripts import log, redact
from scripts.backup import trial
from scripts.backup.catalog import Entry
from scripts.clients.s3 import Bucket
from scripts.exits import OpsError, Stop, TemporaryError
from scripts.output import Outcome, Screen

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
}
_UP: Final = "crypto_backup_bucket_up"


def run(load: Callable[[], OpsSettings], *, port: int | None) -> Outcome:
    """Print the metrics; with ``port`` serve them there until the process is told to end.

    ``load`` is asked anew each time, because settings change under a server.

    Raises:
        OpsError: the bucket does not answer (a server says so in its metrics instead).
        TemporaryError: the port is taken.
    """
    if port is not None:
        return _serve(load, port)
    text = exposition(read(load()), up=True)

    def show(screen: Screen) -> None:
        screen.document(text)

    return Outcome({"metrics": text}, show)


def read(settings: OpsSettings) -> dict[str, Sequence[Entry]]:
    """Every complete backup by kind, newest first."""
    bucket = Bucket(settings.backup)
    return {kind: catalog.entries() for kind, catalog in trial.catalogs(settings, bucket).items()}


def exposition(found: Mapping[str, Sequence[Entry]], *, up: bool) -> str:
    """The metrics in Prometheus's text format. A kind without a proven backup has no time of one."""
    registry = CollectorRegistry()
    registry.register(_Found(found, up=up))
    return generate_latest(registry).decode()


class _Found(Collector):
    def __init__(self, found: Mapping[str, Sequence[Entry]], *, up: bool) -> None:
        self._found = found
        self._up = up

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = {name: GaugeMetricFamily(name, words, labels=["kind"]) for name, words in _HELP.items()}
        for kind, entries in self._found.items():
            for name, value in _of_kind(entries):
                families[name].add_metric([kind], value)
        yield from (family for family in families.values() if family.samples)
        yield GaugeMetricFamily(_UP, "Whether the bucket answered the last time it was asked.", value=float(self._up))


def _of_kind(entries: Sequence[Entry]) -> Iterator[tuple[str, float]]:
    readable = [entry for entry in entries if entry.manifest is not None]
    yield "crypto_backup_count", float(len(readable))
    newest = next((entry.manifest for entry in readable), None)
    if newest is not None:
        yield "crypto_backup_newest_timestamp_seconds", newest.snapshot_at.timestamp()
        yield "crypto_backup_stored_bytes", float(newest.stored.bytes)
        yield "crypto_backup_duration_seconds", newest.duration_seconds
    for entry in readable:
        if entry.manifest is not None and entry.proof is not None:
            yield "crypto_backup_proven_timestamp_seconds", entry.manifest.snapshot_at.timestamp()
            yield "crypto_backup_restore_seconds", entry.proof.duration_seconds
            return


class _State:
    """What was read last; read anew once it is old, by one request at a time."""

    def __init__(self, load: Callable[[], OpsSettings]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._found: dict[str, Sequence[Entry]] = {}
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


def _serve(load: Callable[[], OpsSettings], port: int) -> Outcome:
    load()
    state = _State(load)

    class Handler(BaseHTTPRequestHandler):
        # A client that says nothing does not keep a thread for ever.
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            pages = {"/metrics": state.text, "/healthz": lambda: "ok\n"}
            page = pages.get(self.path)
            body = b"not here; see /metrics\n" if page is None else page().encode()
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
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
