"""How long `make up` takes from cold, from nothing but tools and images, and when everything is there.

`python -m benchmarks.up` as root, in an instance and with caches of its own. Cold means: empty caches of this project,
of Go's modules and of Go's builds; Debian packages and the virtual environment are there. It takes about a quarter of
an hour and some 12 GiB of disk, in a folder that is removed afterwards. With `--warm` the user's own caches are used,
and the cold start is left out.

`--busy 2` runs two loops beside it that take what they get of the processor. `--kills 5` kills the cold start after
random times of up to five minutes, and starts it again each time.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_SLOT = "13"
_LONGEST_UNTIL_KILLED_SECONDS = 300


def _environment(folder: Path, *, warm: bool) -> dict[str, str]:
    own = ("CRYPTO_", "PULUMI_", "AWS_", "KUBECONFIG", "OPS_CONFIG")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    caches = {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "GOCACHE": str(folder / "go-build"),
        "GOMODCACHE": str(folder / "go-mod"),
    }
    instance = {"XDG_STATE_HOME": str(folder / "state"), "CRYPTO_INSTANCE": "bench", "CRYPTO_SLOT": _SLOT}
    return {**kept, **({} if warm else caches), **instance}


def _local(command: str, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    run = subprocess.run([sys.executable, "-m", "local", command], env=environment, check=False)
    if run.returncode != 0:
        sys.exit(f"`{command}` failed with exit code {run.returncode}")
    return time.perf_counter() - started


@contextmanager
def _busy(loops: int) -> Generator[None]:
    """Loops that ask for a processor each, at the priority of any program."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for loop in running:
            loop.kill()
            loop.wait()


def _killed(environment: dict[str, str]) -> float:
    """Starts `make up` and kills its process group after a random time. Returns the seconds until then."""
    seconds = random.uniform(0, _LONGEST_UNTIL_KILLED_SECONDS)  # noqa: S311 (any moment will do)
    with subprocess.Popen([sys.executable, "-m", "local", "up"], env=environment, start_new_session=True) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
    print(f"--- killed after {seconds:.0f} s", flush=True)
    return seconds


def _measure(environment: dict[str, str], *, warm: bool, kills: int) -> dict[str, float]:
    taken: dict[str, float] = {}
    if not warm:
        taken |= {f"until kill {number}": _killed(environment) for number in range(1, kills + 1)}
        taken["cold"] = _local("up", environment)
        _local("clean", environment)
    taken["from tools and images"] = _local("up", environment)
    taken["while it runs"] = _local("up", environment)
    _local("down", environment)
    taken["after down"] = _local("up", environment)
    return taken


def main() -> None:
    """Prints the seconds of each start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm", action="store_true", help="use the user's own caches; no cold start")
    parser.add_argument("--busy", type=int, default=0, metavar="LOOPS", help="so many busy loops beside it")
    parser.add_argument("--kills", type=int, default=0, help="kill the cold start so often before it may end")
    arguments = parser.parse_args()
    if arguments.warm and arguments.kills:
        parser.error("--kills is for a cold start: leave --warm out")
    warm: bool = arguments.warm
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("TMPDIR")))
    environment = _environment(folder, warm=warm)
    try:
        with _busy(arguments.busy):
            taken = _measure(environment, warm=warm, kills=arguments.kills)
    finally:
        _local("clean", environment)
        # Go writes its module cache read-only.
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"make up, {os.cpu_count()} cores: {', '.join(f'{name} {seconds:.0f} s' for name, seconds in taken.items())}")


if __name__ == "__main__":
    main()
