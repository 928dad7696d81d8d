"""How long an unchanged preview of the running local stack takes, with and without the policy pack.

`make up` first, then `eval "$(make -s env)"`, then `python -m benchmarks.preview [RUNS]`. Both kinds of run alternate,
so that whatever else the machine does meets both alike.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

_PREVIEW = ("pulumi", "preview", "--stack", "local", "--non-interactive", "--expect-no-changes")
_PACK = ("--policy-pack", "policies")


def _seconds(command: tuple[str, ...]) -> float:
    started = time.perf_counter()
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{run.stdout}{run.stderr}")
    return time.perf_counter() - started


def main() -> None:
    """Prints the least, median and greatest time of each kind, and the ratio of the medians."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    plain: list[float] = []
    judged: list[float] = []
    for _ in range(runs):
        plain.append(_seconds(_PREVIEW))
        judged.append(_seconds((*_PREVIEW, *_PACK)))
    print(f"unchanged preview of the local stack, {runs} runs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, times in (("without policies", plain), ("with policies", judged)):
        print(f"{name:<18} min {min(times):5.1f} s  median {statistics.median(times):5.1f} s  max {max(times):5.1f} s")
    print(f"ratio of the medians {statistics.median(judged) / statistics.median(plain):.2f}")


if __name__ == "__main__":
    main()
