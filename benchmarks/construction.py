"""How long the program itself takes, without an engine: `python -m benchmarks.construction [--runs 3] [--stack prod]`.

Each run is a fresh process, as under the engine. "first" is what counts against the budget: from imports done to
everything registered, with the parts of the SDKs that load only when they are used. The cost of a service must not grow
with their number. All are CPU seconds: the program waits for nothing, so that on a quiet machine a clock shows the
same, and on a busy one the figures still say something.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.construction_child import IMPORTS

BUDGET_SECONDS = 1.5
# A service among a thousand may cost so many times what one among ten does; above, something grows with their square.
FLAT = 1.5
COUNTS = (10, 100, 1000)


def main() -> None:
    """Measures and prints; exit code 1 where the budget or the flatness is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="fresh processes a measurement; the median counts")
    parser.add_argument("--stack", default="prod")
    options = parser.parse_args()
    # Once unmeasured: it leaves compiled modules behind, as an installation does.
    _child("program", options.stack)
    runs = [_child("program", options.stack) for _ in range(options.runs)]
    grown = {count: [_child("services", str(count)) for _ in range(options.runs)] for count in COUNTS}
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{load}, CPU seconds, median of {options.runs} fresh processes\n")
    first = print_program(options.stack, runs)
    growth = print_services(grown)
    if first > BUDGET_SECONDS or growth > FLAT:
        sys.exit(f"missed: construction {first:.2f} s of {BUDGET_SECONDS} s, growth {growth:.2f}x of {FLAT}x")


def print_program(stack: str, runs: Sequence[dict[str, float]]) -> float:
    """A table of the phases; the seconds of the first construction."""
    median = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    imports = sum(median[name] for name in IMPORTS)
    print(f"the program of {stack}, {median['resources']:.0f} resources")
    for name in IMPORTS:
        print(f"  import {name:<24} {median[name]:6.2f} s")
    print(f"  imports in all                  {imports:6.2f} s")
    modules = f"{median['lazy_modules']:.0f} modules of the SDKs load in it"
    print(f"  construction, first             {median['first']:6.2f} s  budget {BUDGET_SECONDS} s; {modules}")
    ratio = median["first"] / median["again"]
    print(f"  construction, again             {median['again']:6.2f} s  first is {ratio:.1f}x of it\n")
    return median["first"]


def print_services(grown: dict[int, list[dict[str, float]]]) -> float:
    """A table of the cost of a service; how many times dearer it is among the most than among the fewest."""
    cost = {count: statistics.median(run["seconds"] for run in runs) / count for count, runs in grown.items()}
    fewest = cost[min(cost)]
    print("services  resources     CPU s  ms/service  ratio  with garbage collection")
    for count, runs in grown.items():
        each, resources = cost[count], runs[0]["resources"]
        collected = statistics.median(run["collected"] for run in runs) / count * 1000
        line = f"{count:8}  {resources:9.0f}  {each * count:8.2f}  {each * 1000:10.2f}  {each / fewest:5.2f}"
        print(f"{line}  {collected:10.2f} ms/service")
    return cost[max(cost)] / fewest


def _child(*arguments: str) -> dict[str, float]:
    # Compiled modules are kept: whoever deploys has them, and compiling would be measured instead of the program.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.construction_child", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
