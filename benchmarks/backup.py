"""Backup and restore of PostgreSQL against what people would use instead, side by side in one run.

    python -m benchmarks.backup --megabytes 500

Starts PostgreSQL and MinIO, fills a database of that size, and prints tables with seconds, MB/s of the uncompressed
dump and ratios. PostgreSQL, MinIO and the program share the processors of one machine. What it is compared with writes
into nothing or into files, and has no S3 beside it; one line therefore has an endpoint that throws everything away, as
if the bucket were on another machine.

CPU seconds are those of the whole machine, so that nothing else may run on it. Divided by the processors they are the
least that a command can take on them; "least" is the ratio of that to the seconds of the first line.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import nowhere
from runbook.datastores import BACKUP_ROLE, DATABASE
from tests.services import ops_environment, servers
from tests.services.ops_environment import PASSWORDS, Environment

_ROWS_A_MEGABYTE = 6200
# A transaction that fills gigabytes would keep all of its log.
_STEP_MEGABYTES = 500
_POLL_SECONDS = 0.02
# What a checksum of each table costs is the difference to a run that only counts rows.
_WITHOUT_CHECKSUMS = """
from scripts.backup import rows
rows._SUM = rows._COUNT
from scripts.cli import main
main()
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A measured command: wall-clock seconds, the machine's CPU seconds, and its first process's peak memory in MB."""

    name: str
    seconds: float
    cpu: float
    peak: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500, help="size of the database on disk")
    parser.add_argument("--rounds", type=int, default=3, help="each command runs so often; the fastest counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ops_environment.running(Path(name), _bucket) as environment:
        for _ in range(0, options.megabytes, _STEP_MEGABYTES):
            rows = min(options.megabytes, _STEP_MEGABYTES) * _ROWS_A_MEGABYTE
            ops_environment.populate(environment, users=1000, prices=rows)
        with environment.connect() as connection:
            connection.execute("VACUUM (ANALYZE)")
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        size = int(row[0]) if row else 0
        load = os.getloadavg()[0]
        backups = [_fastest(name, run, options.rounds) for name, run in _backups(environment).items()]
        done = environment.ops("backup", "postgres", "--json").json
        dumped, stored = int(done["uncompressed_bytes"]), int(done["stored_bytes"])
        restores = [_fastest(name, run, options.rounds) for name, run in _restores(environment).items()]
    print(
        f"\n{os.cpu_count()} cores, load {load:.1f} before, database {size / 1e6:.0f} MB on disk, "
        f"dump {dumped / 1e6:.0f} MB, stored {stored / 1e6:.0f} MB, fastest of {options.rounds}\n"
    )
    _table(backups, dumped)
    _table(restores, dumped)


def _backups(environment: Environment) -> dict[str, Callable[[], float]]:
    target = environment.folder / "dump.gz"
    programs = servers.postgres_programs()
    pg_dump = (
        f"{programs}/pg_dump -h {environment.database.host} -p {environment.database.port} -U {BACKUP_ROLE} {DATABASE}"
    )
    login = os.environ | {"PGPASSWORD": PASSWORDS["backup"]}

    def elsewhere() -> float:
        plain = environment.settings["backup"]
        with nowhere.bucket() as sink:
            environment.configure(backup={**plain, "endpoint": f"http://{sink.address}"})
            try:
                return _ops(environment, "backup", "postgres")
            finally:
                environment.configure(backup=plain)

    def encrypted() -> float:
        plain = environment.settings["backup"]
        environment.configure(backup={**plain, "publicKey": str(_pyrage().x25519.Identity.generate().to_public())})
        try:
            return _ops(environment, "backup", "postgres")
        finally:
            environment.configure(backup=plain)

    return {
        "pg_dump into nothing (-Fc -Z0)": lambda: _run(["sh", "-c", f"{pg_dump} -Fc -Z0 > /dev/null"], login),
        # What compressing alone costs beside a dump, in C, without S3, checksums or counts.
        "pg_dump | zstd -1 -T2 into nothing": lambda: _run(
            ["sh", "-c", f"{pg_dump} -Fc -Z0 | zstd -q -1 -T2 > /dev/null"], login
        ),
        "the runbook: pg_dump | gzip": lambda: _run(["sh", "-c", f"{pg_dump} | gzip > {target}"], login),
        "ops backup postgres": lambda: _ops(environment, "backup", "postgres"),
        "the same, rows without checksums": lambda: _run(
            [sys.executable, "-c", _WITHOUT_CHECKSUMS, "backup", "postgres"], environment.environment()
        ),
        "ops, the bucket on another machine": elsewhere,
        "ops backup postgres, encrypted": encrypted,
    }


def _restores(environment: Environment) -> dict[str, Callable[[], float]]:
    archive = environment.folder / "dump.custom"
    programs = servers.postgres_programs()
    login = os.environ | {
        "PGPASSWORD": PASSWORDS["superuser"],
        "PGHOST": environment.database.host,
        "PGPORT": str(environment.database.port),
        "PGUSER": servers.SUPERUSER,
    }
    (environment.folder / "dump.gz").unlink(missing_ok=True)
    _run([f"{programs}/pg_dump", "-Fc", "-Z1", "-f", str(archive), DATABASE], login)
    # Room for what is restored: everything that follows works from what was saved.
    with environment.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {DATABASE}".encode())

    def restore(jobs: int) -> float:
        with environment.connect("postgres") as connection:
            connection.execute("DROP DATABASE IF EXISTS scratch")
            connection.execute("CHECKPOINT")
            connection.execute("CREATE DATABASE scratch")
        return _run([f"{programs}/pg_restore", f"-j{jobs}", "-d", "scratch", str(archive)], login)

    def verified() -> float:
        with environment.connect("postgres") as connection:
            connection.execute("DROP DATABASE IF EXISTS scratch")
            connection.execute("DROP DATABASE IF EXISTS verified")
            connection.execute("CHECKPOINT")
        return _ops(environment, "restore", "postgres", "--into", "verified")

    return {
        "pg_restore -j2": lambda: restore(2),
        "pg_restore -j1": lambda: restore(1),
        "ops restore postgres": verified,
    }


def _bucket() -> AbstractContextManager[servers.Server]:
    return servers.minio("test", ops_environment.AWS_SECRET)


def _pyrage() -> Any:
    return importlib.import_module("pyrage")


def _ops(environment: Environment, *arguments: str) -> float:
    return _run([sys.executable, "-m", "scripts.cli", *arguments], environment.environment())


def _run(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run to the end; the peak resident memory in MB.

    Not the kernel's ru_maxrss: that one begins with the memory of this process, which forked.
    """
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _high_water(process.pid))
        time.sleep(_POLL_SECONDS)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return peak


def _high_water(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return max((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), default=0.0)


def _fastest(name: str, run: Callable[[], float], rounds: int) -> Row:
    rows: list[Row] = []
    for _ in range(rounds):
        start, before = time.monotonic(), _busy()
        peak = run()
        rows.append(Row(name, time.monotonic() - start, _busy() - before, peak))
    return min(rows, key=lambda row: row.seconds)


def _busy() -> float:
    user, nice, system, _idle, _waiting, interrupts, soft, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def _table(rows: Sequence[Row], size: int) -> None:
    print(f"| {'command':34} | seconds |  MB/s | ratio |  CPU s | least | peak MB |\n|---|---|---|---|---|---|---|")
    for row in rows:
        ratio, least = row.seconds / rows[0].seconds, row.cpu / (os.cpu_count() or 1) / rows[0].seconds
        print(
            f"| {row.name:34} | {row.seconds:7.2f} | {size / 1e6 / row.seconds:5.0f} | {ratio:5.2f} "
            f"| {row.cpu:6.2f} | {least:5.2f} | {row.peak:7.0f} |"
        )
    print()


if __name__ == "__main__":
    main()
