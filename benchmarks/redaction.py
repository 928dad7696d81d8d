"""What the search for secrets costs: `make bench NAME=redaction`, or `python -m benchmarks.redaction [LINES]`.

Three uses: a short text such as a cell of a table, the table of 1,200 backups of `ops backups list`, and the review of
a million log lines. Beside each stands the same work without the search, in turns in one process; the figure is the
ratio of their CPU seconds.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from runbook.units import size
from scripts import redact, visible
from scripts.backup import listing
from scripts.backup.index import Entry, Facts
from scripts.backup.keys import BackupId
from scripts.log_review.grouping import Groups
from scripts.log_review.masking import pattern
from scripts.log_review.parsing import events
from scripts.output import Screen, shortened

_LINES: Final = 1_000_000
_BACKUPS: Final = 1_200
_TURNS: Final = 5
# One of so many lines is an error, and no two errors are equal.
_ERRORS: Final = 50
_TEXTS: Final = (
    "postgres", "20261130T120000Z-0a1b2c3d", "2h 13m", "1,234,567", "12.3 MB", "yes", "fail",
    "api-gateway-7d9f8b6c5d-x2k9z", "2026-11-30T12:00:00Z", "connection refused",
)  # fmt: skip
_FAULT: Final = (
    '2026-11-30T10:00:{0:02}.123456Z ERROR [main] c.e.Prices - request {1:016x} of user={1} failed after {0} ms: '
    'connect to postgres:5432: timeout="{0}s" path=/v1/prices?symbol=BTC'
)  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this thread, the fewest of some turns."""
    found: list[float] = []
    for _ in range(_TURNS):
        started = time.thread_time()
        work()
        found.append(time.thread_time() - started)
    return min(found)


def short_texts() -> tuple[float, float]:
    """Microseconds that a short text takes to be cleaned, and to be made visible, which each cell is, too."""
    texts = _TEXTS * 1000
    cleaned = _seconds(lambda: [redact.clean(text) for text in texts])
    shown = _seconds(lambda: [visible.line(text) for text in texts])
    return cleaned / len(texts) * 1e6, shown / len(texts) * 1e6


def table(count: int = _BACKUPS) -> tuple[float, float, float]:
    """Seconds that the table of so many backups takes, those of cleaning its cells, and of its termination message."""
    now = datetime.now(UTC).replace(microsecond=0)
    entries = [_entry(now - timedelta(hours=number), number) for number in range(count)]
    # Such as its cells are.
    rows = [
        ("postgres", str(entry.id), "2d 3h", f"{12_345 + at:,}", size(5e6 + at), size(1e6 + at), "yes")
        for at, entry in enumerate(entries)
    ]
    cells = [cell for row in rows for cell in row]
    whole = _seconds(lambda: listing.table(Screen(io.StringIO()), entries, now))
    data = {"command": "backups list", "exit": 0, "backups": [listing.plain(entry, now) for entry in entries]}
    ended = _seconds(lambda: shortened(data))
    return whole, _seconds(lambda: [redact.clean(cell) for cell in cells]), ended


def _entry(at: datetime, number: int) -> Entry:
    facts = Facts(
        of="crypto", snapshot_at=at, aged_from=at, unit="rows", total=12_345 + number,
        uncompressed_bytes=5_000_000 + number, stored_bytes=1_200_000 + number, encrypted=True, signed=True,
        seconds=1, proven_at=at, shrunk=None, accepted_by=None, accepted_at=None, database="crypto", tables=20,
        server_version="16.4",
    )  # fmt: skip
    return Entry("postgres", BackupId(at, "0a1b2c3d"), facts, None)


def log_review(count: int) -> tuple[float, float, float]:
    """Seconds that the review of so many lines takes, those of cleaning its errors, and those of their patterns."""
    found = [_event(number) for number in range(0, count, _ERRORS)]

    def review() -> None:
        groups = Groups()
        for event in events(_lines(count)):
            groups.add("prices", "prices-1", event)

    return (
        _once(review),
        _once(lambda: [redact.clean(each) for each in found]),
        _once(lambda: list(map(pattern, found))),
    )


def _once(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _lines(count: int) -> Iterator[bytes]:
    plain = b"2026-11-30T10:00:00.123456Z INFO  [main] c.e.Prices - GET /v1/prices?symbol=BTC 200 in 17 ms"
    for number in range(count):
        yield plain if number % _ERRORS else _event(number).encode()


def _event(number: int) -> str:
    return _FAULT.format(number % 60, number * 2_654_435_761 % 2**64)


def main() -> None:
    """Measures and prints."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else _LINES
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; CPU seconds of one thread")
    cleaned, shown = short_texts()
    print(f"a short text          {cleaned:6.1f} us, {cleaned / shown:4.1f}x of making it visible")
    whole, cells, ended = table()
    print(f"{_BACKUPS:,} backups in a table {whole:.2f} s, cleaning its cells {cells:.3f} s ({cells / whole:.0%})")
    print(f"their termination message {ended:.2f} s")
    review, errors, patterns = log_review(lines)
    print(f"{lines:,} lines of a log {review:.1f} s, {lines / review:,.0f} lines/s")
    print(f"cleaning its errors {errors:.1f} s ({errors / review:.0%}), {errors / patterns:.1f}x of their patterns")


if __name__ == "__main__":
    main()
