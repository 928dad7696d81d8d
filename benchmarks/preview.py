"""What the policy pack adds to an unchanged preview of the running local stack: a quarter at most is the goal.

`make up` first, then `eval "$(make -s env)"`, then `python -m benchmarks.preview [RUNS]`. The runs without and with the
pack alternate, so that other work on the machine meets both alike. CPU seconds count the engine and all its plugins.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.pulumi_cli import pack

LIMIT = 1.25
_PREVIEW = ("pulumi", "preview", "--stack", "local", "--non-interactive", "--expect-no-changes")
_PACK = ("--policy-pack", pack())
_PLAIN, _JUDGED = "without policies", "with policies"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: seconds by the clock, and CPU seconds of all its processes."""

    wall: float
    cpu: float


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cost(command: Sequence[str]) -> Cost:
    """Runs it once; a command that fails ends the benchmark with what it said."""
    started, before = time.perf_counter(), _cpu()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return Cost(time.perf_counter() - started, _cpu() - before)


def report(costs: Mapping[str, Sequence[Cost]]) -> str:
    """A line for each kind of run, and the ratio of the medians."""
    wall = {name: [each.wall for each in of] for name, of in costs.items()}
    median = {name: statistics.median(of) for name, of in wall.items()}
    cpu = {name: statistics.median(each.cpu for each in of) for name, of in costs.items()}
    lines = [
        f"{name:<17} min {min(of):5.1f} s  median {median[name]:5.1f} s  max {max(of):5.1f} s  CPU {cpu[name]:5.1f} s"
        for name, of in wall.items()
    ]
    ratio = median[_JUDGED] / median[_PLAIN]
    lines.append(f"policies cost {ratio:.2f}x, {cpu[_JUDGED] / cpu[_PLAIN]:.2f}x in CPU; at most {LIMIT}x is the goal")
    return "\n".join(lines)


def main() -> None:
    """Prints the least, median and greatest time of each kind, and their ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if shutil.which("pulumi") is None:
        sys.exit('pulumi is not on PATH: run `make up`, then eval "$(make -s env)"')
    runs = {_PLAIN: _PREVIEW, _JUDGED: (*_PREVIEW, *_PACK)}
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, command in runs.items():
            costs[name].append(cost(command))
    print(f"previews of the local stack, {rounds} runs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(report(costs))


if __name__ == "__main__":
    main()
