"""Backup and restore of PostgreSQL against what people would use instead, side by side in one run.

    python -m benchmarks.backup --megabytes 450

Starts PostgreSQL and an S3 endpoint of its own, fills a database of that size, and prints a table with seconds, MB/s
of the uncompressed dump and ratios. The S3 endpoint is one Python process that shares the processors with what it
measures, so production is faster than the numbers of ``ops``; the pipelines that it is compared with write into files.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runbook.datastores import BACKUP_ROLE, DATABASE
from tests.services import ops_environment, servers
from tests.services.ops_environment import PASSWORDS, Environment

_ROWS_A_MEGABYTE = 6200


@dataclass(frozen=True, slots=True)
class Row:
    """A measured command: wall-clock seconds, and the peak resident memory of its largest process in MB."""

    name: str
    seconds: float
    peak: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=450, help="size of the database on disk")
    parser.add_argument("--rounds", type=int, default=3, help="each command runs so often; the fastest counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ops_environment.running(Path(name)) as environment:
        ops_environment.populate(environment, users=1000, prices=options.megabytes * _ROWS_A_MEGABYTE)
        with environment.connect() as connection:
            connection.execute("VACUUM (ANALYZE)")
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        size = int(row[0]) if row else 0
        backups = [_fastest(name, run, options.rounds) for name, run in _backups(environment).items()]
        dumped = int(environment.ops("backup", "postgres", "--json").json["uncompressed_bytes"])
        restores = [_fastest(name, run, options.rounds) for name, run in _restores(environment).items()]
    print(
        f"\n{os.cpu_count()} cores, database {size / 1e6:.0f} MB on disk, dump {dumped / 1e6:.0f} MB, "
        f"fastest of {options.rounds}\n"
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
    return {
        "pg_dump into nothing (-Fc -Z0)": lambda: _run(["sh", "-c", f"{pg_dump} -Fc -Z0 > /dev/null"], login),
        "the runbook: pg_dump | gzip": lambda: _run(["sh", "-c", f"{pg_dump} | gzip > {target}"], login),
        "pg_dump -Fc (its own zlib)": lambda: _run(["sh", "-c", f"{pg_dump} -Fc > {target}"], login),
        "ops backup postgres": lambda: _ops(environment, "backup", "postgres"),
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
    _run([f"{programs}/pg_dump", "-Fc", "-Z1", "-f", str(archive), DATABASE], login)

    def restore(jobs: int) -> float:
        with environment.connect("postgres") as connection:
            connection.execute("DROP DATABASE IF EXISTS scratch")
            connection.execute("CREATE DATABASE scratch")
        return _run([f"{programs}/pg_restore", f"-j{jobs}", "-d", "scratch", str(archive)], login)

    def verified() -> float:
        with environment.connect("postgres") as connection:
            connection.execute("DROP DATABASE IF EXISTS verified")
        return _ops(environment, "restore", "postgres", "--into", "verified")

    return {
        "pg_restore -j1": lambda: restore(1),
        "pg_restore -j2": lambda: restore(2),
        "ops restore postgres": verified,
    }


def _ops(environment: Environment, *arguments: str) -> float:
    return _run([sys.executable, "-m", "scripts.cli", *arguments], environment.environment())


def _run(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run to the end; the peak resident memory in MB."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_maxrss / 1024


def _fastest(name: str, run: Callable[[], float], rounds: int) -> Row:
    rows: list[Row] = []
    for _ in range(rounds):
        start = time.monotonic()
        peak = run()
        rows.append(Row(name, time.monotonic() - start, peak))
    return min(rows, key=lambda row: row.seconds)


def _table(rows: Sequence[Row], size: int) -> None:
    print(f"| {'command':32} | seconds |  MB/s | ratio | peak MB |\n|---|---|---|---|---|")
    for row in rows:
        ratio = row.seconds / rows[0].seconds
        print(
            f"| {row.name:32} | {row.seconds:7.2f} | {size / 1e6 / row.seconds:5.0f} | {ratio:5.2f} | {row.peak:7.0f} |"
        )
    print()


if __name__ == "__main__":
    main()
