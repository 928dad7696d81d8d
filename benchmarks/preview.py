"""How long an unchanged preview of the running local stack takes, beside those of as many trivial resources.

`make up` first, then `eval "$(make -s env)"`, then `python -m benchmarks.preview [RUNS]`. The kinds of run alternate,
so that whatever else the machine does meets all alike: the local stack without and with the policy pack, and programs
that only have as many resources (`benchmarks.trivial`). CPU seconds count the engine and all its plugins.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import trivial
from local.pulumi_cli import pack
from local.stack_files import record

# What the program, its settings and its providers may add to the engine's own work on as many resources.
LIMIT = 1.3
_PREVIEW = ("pulumi", "preview", "--stack", "local", "--non-interactive", "--expect-no-changes")
_PACK = ("--policy-pack", pack())
_PLAIN, _JUDGED = "without policies", "with policies"


@dataclass(frozen=True, slots=True)
class Run:
    """A command, where it runs, and variables beside this process's own."""

    command: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: seconds by the clock, and CPU seconds of all its processes."""

    wall: float
    cpu: float


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cost(run: Run) -> Cost:
    """Runs it once; a command that fails ends the benchmark with what it said."""
    started, before = time.perf_counter(), _cpu()
    environment = {**os.environ, **run.variables}
    done = subprocess.run(run.command, capture_output=True, text=True, check=False, cwd=run.folder, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(run.command)} failed:\n{done.stdout}{done.stderr}")
    return Cost(time.perf_counter() - started, _cpu() - before)


def report(costs: Mapping[str, Sequence[Cost]]) -> str:
    """A line for each kind of run, and the ratios of the medians to those of the trivial programs."""
    wall = {name: [each.wall for each in of] for name, of in costs.items()}
    median = {name: statistics.median(of) for name, of in wall.items()}
    cpu = {name: statistics.median(each.cpu for each in of) for name, of in costs.items()}
    lines = [
        f"{name:<29} min {min(of):5.1f} s  median {median[name]:5.1f} s  max {max(of):5.1f} s  CPU {cpu[name]:5.1f} s"
        for name, of in wall.items()
    ]
    lines.append(f"policies cost {median[_JUDGED] / median[_PLAIN]:.2f}x, {cpu[_JUDGED] / cpu[_PLAIN]:.2f}x in CPU")
    lines += [
        f"{_PLAIN} is {median[_PLAIN] / median[name]:.2f}x of {name}, {cpu[_PLAIN] / cpu[name]:.2f}x in CPU; "
        f"at most {LIMIT}x is the goal"
        for name in trivial.KINDS
    ]
    return "\n".join(lines)


def _prepare(folder: Path, count: int) -> dict[str, Run]:
    """The runs of the trivial programs, their stacks made and, where that is their kind, applied."""
    runs: dict[str, Run] = {}
    for kind, what in trivial.KINDS.items():
        project = trivial.write(folder / kind, kind, count)
        for command in (*trivial.PREPARATION, *((trivial.UP,) if what.applied else ())):
            cost(Run(command, project.folder, project.variables))
        runs[kind] = Run(trivial.PREVIEW, project.folder, project.variables)
    return runs


def main() -> None:
    """Prints the least, median and greatest time of each kind, and their ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if shutil.which("pulumi") is None:
        sys.exit('pulumi is not on PATH: run `make up`, then eval "$(make -s env)"')
    count = len(record("local"))
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="bench-preview-") as folder:
        beside = _prepare(Path(folder), count)
        runs = {_PLAIN: Run(_PREVIEW, here, {}), _JUDGED: Run((*_PREVIEW, *_PACK), here, {}), **beside}
        try:
            costs: dict[str, list[Cost]] = {name: [] for name in runs}
            for _ in range(rounds):
                for name, run in runs.items():
                    costs[name].append(cost(run))
        finally:
            for kind, run in beside.items():
                if trivial.KINDS[kind].applied:
                    cost(Run(trivial.DESTROY, run.folder, run.variables))
    print(f"previews of {count} resources, {rounds} runs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(report(costs))


if __name__ == "__main__":
    main()
