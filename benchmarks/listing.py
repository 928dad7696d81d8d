"""How long commands take that look at many backups: `python -m benchmarks.listing [BACKUPS]`.

Fills the S3 endpoint of the tests with proven backups of one kind, then times the whole command: the list without an
index, the verification that writes it, the list with it, and what looks for the newest proven backup. The endpoint is
a Python process on the same machine and takes about as much CPU for a request as the program does.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from scripts.backup import proof
from scripts.backup.keys import BackupId
from tests.services import ops_environment
from tests.services.ops_environment import BUCKET, PREFIX, Environment, populate

_BACKUPS: Final = 1200
_TABLES: Final = 20


def fill(environment: Environment, count: int) -> None:
    """So many proven backups, one an hour before the one before it, with the manifest of the newest real one."""
    real = environment.manifest(environment.backup())
    tables = [{**real["tables"][0], "name": f"table_{number}"} for number in range(_TABLES)]
    s3, now = environment.s3, datetime.now(UTC)
    for number in range(1, count):
        backup = str(BackupId((now - timedelta(hours=number)).replace(microsecond=0), "0a1b2c3d"))
        told: dict[str, Any] = {
            "formatVersion": proof.FORMAT_VERSION,
            "checks": proof.CHECKS,
            "kind": "postgres",
            "id": backup,
            "stored": real["stored"],
            "provenAt": now.isoformat(),
            "durationSeconds": 1,
            "method": "restored",
            "counts": {f"public.table_{number}": 0 for number in range(_TABLES)},
        }
        for name, content in (("manifest.json", real | {"id": backup, "tables": tables}), ("proof.json", told)):
            key = f"{PREFIX}postgres/{backup}/{name}"
            s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(content, indent=2).encode())


def main() -> None:
    """Measures and prints."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _BACKUPS
    with tempfile.TemporaryDirectory() as folder, ops_environment.running(Path(folder)) as environment:
        populate(environment, users=10, prices=10)
        fill(environment, count)
        print(f"{count} backups, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for command in ("list", "verify --kind postgres", "list", "list", "prune --dry-run", "metrics"):
            started = time.perf_counter()
            answer = environment.ops("backups", *command.split())
            if answer.code != 0:
                sys.exit(answer.stderr)
            print(f"ops backups {command:<24} {time.perf_counter() - started:5.1f} s")


if __name__ == "__main__":
    main()
