"""How long an unchanged preview of the running local stack takes, beside one of as many trivial resources.

`make up` first, then `eval "$(make -s env)"`, then `python -m benchmarks.preview [RUNS]`. Four kinds of run alternate,
so that whatever else the machine does meets all alike: the local stack without and with the policy pack, and two
programs that only have as many resources: components, which no provider sees (the engine alone), and ConfigMaps.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import trivial
from local.stack_files import record

# What the program, its settings and its providers may add to the engine's own work on as many resources.
LIMIT = 1.3
_PREVIEW = ("pulumi", "preview", "--stack", "local", "--non-interactive", "--expect-no-changes")
_PACK = ("--policy-pack", "policies")
_PLAIN, _JUDGED = "without policies", "with policies"


@dataclass(frozen=True, slots=True)
class Run:
    """A command, where it runs, and variables beside this process's own."""

    command: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str]


def _seconds(run: Run) -> float:
    started = time.perf_counter()
    environment = {**os.environ, **run.variables}
    done = subprocess.run(run.command, capture_output=True, text=True, check=False, cwd=run.folder, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(run.command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def report(times: Mapping[str, Sequence[float]]) -> str:
    """A line for each kind of run, and the ratios of the medians to those of the trivial programs."""
    lines = [
        f"{name:<18} min {min(of):5.1f} s  median {statistics.median(of):5.1f} s  max {max(of):5.1f} s"
        for name, of in times.items()
    ]
    median = {name: statistics.median(of) for name, of in times.items()}
    lines.append(f"policies cost {median[_JUDGED] / median[_PLAIN]:.2f}x")
    lines += [
        f"{_PLAIN} is {median[_PLAIN] / median[name]:.2f}x of {name}, at most {LIMIT}x is the goal"
        for name in trivial.KINDS
    ]
    return "\n".join(lines)


def main() -> None:
    """Prints the least, median and greatest time of each kind, and their ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    count = len(record("local"))
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="bench-preview-") as folder:
        runs = {_PLAIN: Run(_PREVIEW, here, {}), _JUDGED: Run((*_PREVIEW, *_PACK), here, {})}
        for kind in trivial.KINDS:
            project = trivial.write(Path(folder) / kind, kind, count)
            for command in trivial.PREPARATION:
                _seconds(Run(command, project.folder, project.variables))
            runs[kind] = Run(trivial.PREVIEW, project.folder, project.variables)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                times[name].append(_seconds(run))
    print(f"previews of {count} resources, {rounds} runs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(report(times))


if __name__ == "__main__":
    main()
