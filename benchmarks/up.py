"""How long `make up` takes from cold and when everything is there, in an instance and with caches of its own.

`python -m benchmarks.up` as root. Cold means: empty caches of this project, of Go's modules and of Go's builds; Debian
packages and the virtual environment are there. It takes about a quarter of an hour and some 12 GiB of disk, in a folder
that is removed afterwards.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SLOT = "13"


def _environment(folder: Path) -> dict[str, str]:
    own = ("CRYPTO_", "PULUMI_", "AWS_", "KUBECONFIG", "OPS_CONFIG")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    return {
        **kept,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
        "GOCACHE": str(folder / "go-build"),
        "GOMODCACHE": str(folder / "go-mod"),
        "CRYPTO_INSTANCE": "bench",
        "CRYPTO_SLOT": _SLOT,
    }


def _local(command: str, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    run = subprocess.run([sys.executable, "-m", "local", command], env=environment, check=False)
    if run.returncode != 0:
        sys.exit(f"`{command}` failed with exit code {run.returncode}")
    return time.perf_counter() - started


def main() -> None:
    """Prints the seconds of a cold start, a second one that finds everything running, and one after `down`."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("TMPDIR")))
    environment = _environment(folder)
    try:
        cold = _local("up", environment)
        running = _local("up", environment)
        _local("down", environment)
        stopped = _local("up", environment)
        _local("clean", environment)
    finally:
        # Go writes its module cache read-only.
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"make up, {os.cpu_count()} cores: cold {cold:.0f} s, while it runs {running:.0f} s, after down {stopped:.0f} s"
    )


if __name__ == "__main__":
    main()
