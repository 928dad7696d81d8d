"""How quick the operations program is: `make bench NAME=operations`, or `python -m benchmarks.operations [RUNS]`.

Two goals: `ops --help` answers within 0.3 s, and `ops health` takes at most 1.3 times its slowest check. A start is
measured beside one of the bare interpreter. The health check asks real servers of this machine's, PostgreSQL, Redis and
an S3 endpoint, while everything else is an address where nothing listens, and one server that answers late: so its
slowest check is a wait, as in a system with a slow part, and what is measured is whether the others wait beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.services import fake_http, ops_environment, servers
from tests.services.fake_http import Asked, Page

START_SECONDS = 0.3
HEALTH_RATIO = 1.3
_SLOW_SECONDS = 2.0


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def starts(rounds: int) -> dict[str, list[float]]:
    """Seconds of each kind of start, in turns, after one that is not counted."""
    ops = str(Path(sys.executable).with_name("ops"))
    kinds = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "ops --help": (ops, "--help"),
        "ops health --help": (ops, "health", "--help"),
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds + 1):
        for name, command in kinds.items():
            seconds = _seconds(command)
            if number:
                times[name].append(seconds)
    return times


def health(run: Callable[[], dict[str, Any]], rounds: int) -> list[tuple[float, float]]:
    """Seconds of all checks and of the slowest one, of each run."""
    found: list[tuple[float, float]] = []
    for _ in range(rounds):
        said = run()
        checks: list[dict[str, Any]] = said["checks"]
        assert len(checks) > 8
        found.append((float(said["took"]), max(float(check["took"]) for check in checks)))
    return found


def report(times: dict[str, list[float]], runs: Sequence[tuple[float, float]]) -> tuple[str, bool]:
    """The table, and whether both goals are met."""
    lines = [
        f"{name:<18} min {min(of):5.2f} s  median {statistics.median(of):5.2f} s  max {max(of):5.2f} s"
        for name, of in times.items()
    ]
    start = statistics.median(times["ops --help"])
    ratio = statistics.median(whole / slowest for whole, slowest in runs)
    whole, slowest = (statistics.median(part) for part in zip(*runs, strict=True))
    lines.append(f"ops --help takes {start:.2f} s, at most {START_SECONDS} s is the goal")
    lines.append(
        f"ops health takes {whole:.2f} s with a slowest check of {slowest:.2f} s: {ratio:.2f}x, at most"
        f" {HEALTH_RATIO}x is the goal"
    )
    return "\n".join(lines), start <= START_SECONDS and ratio <= HEALTH_RATIO


def main() -> None:
    """Measures and prints; exit code 1 where a goal is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    times = starts(rounds)
    with (
        tempfile.TemporaryDirectory(prefix="bench-operations-") as folder,
        ops_environment.running(Path(folder)) as environment,
        servers.redis("--maxmemory", "1gb") as redis,
        fake_http.serve() as slow,
    ):
        slow.pages["/health"] = _late
        environment.configure(
            redis={"host": redis.host, "port": redis.port},
            services=[{"name": "analytics", "healthUrl": f"{slow.url}/health"}],
        )

        def run() -> dict[str, Any]:
            return json.loads(environment.ops("health", "--json", "--no-notify", "--timeout", "5").stdout)

        runs = health(run, max(3, rounds // 2))
    text, met = report(times, runs)
    print(f"{rounds} runs in turns, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(text)
    sys.exit(0 if met else 1)


def _late(_request: Asked) -> Page:
    time.sleep(_SLOW_SECONDS)
    return Page("ok")


if __name__ == "__main__":
    main()
