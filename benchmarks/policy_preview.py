"""What the policy pack costs a preview: without it, with packs that have no rule, and with the real one.

    python -m benchmarks.policy_preview [--sizes 100 1000 10000] [--rounds 3]

The programs register copies of the production stack's rendered objects, against an empty state and no cluster. The
packs without a rule are what the engine takes for any pack, in Go or in Python: what a pack does itself comes on
top of that. The kinds of run alternate.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import policy_check, trivial
from benchmarks.preview import Cost, Run, cost
from local.pulumi_cli import pack
from policies.catalogue import ALL

LIMIT: Final = 1.1
OBJECTS: Final = "objects.json"
PROGRAM: Final = f"""import json
from pathlib import Path

import pulumi

for number, (kind, content) in enumerate(json.loads(Path("{OBJECTS}").read_text())):
    pulumi.CustomResource(kind, f"object-{{number}}", content)
"""
_WITHOUT, _IN_GO, _IN_PYTHON, _FULL = "without a pack", "no rule, in Go", "no rule, in Python", "the pack"
_SOURCE: Final = Path(__file__).with_name("empty_pack.go")
# The engine's own modules: the pack is built with the gRPC that the engine speaks.
_MODULE: Final = Path(__file__).resolve().parents[1] / "local" / "toolchain" / "modules" / "pulumi"


def registrations(content: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Type token and inputs of each manifest."""
    return [(policy_check.token(each), each) for each in content]


def _project(folder: Path, content: Sequence[dict[str, Any]]) -> trivial.Project:
    project = trivial.write_program(folder, PROGRAM)
    (folder / OBJECTS).write_text(json.dumps(registrations(content)))
    for command in trivial.PREPARATION:
        cost(Run(command, project.folder, project.variables))
    return project


def _in_go(folder: Path) -> Path:
    if shutil.which("go") is None:
        sys.exit("go is not on PATH: the pack without a rule is built by it; install Go (https://go.dev/dl)")
    program = folder / "empty-pack-in-go"
    built = subprocess.run(
        ["go", "build", "-o", str(program), str(_SOURCE)], cwd=_MODULE, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        sys.exit(f"{_SOURCE.name} could not be built: {built.stderr}")
    return program


def _in_python(folder: Path) -> Path:
    program = folder / "empty-pack"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m benchmarks.empty_pack "$@"\n')
    program.chmod(0o755)
    return program


def _runs(folder: Path, content: Sequence[dict[str, Any]]) -> dict[str, Run]:
    project = _project(folder, content)
    variables = {**project.variables, "PYTHONPATH": str(Path.cwd())}
    spaces = sorted({each["metadata"].get("namespace", "crypto") for each in content})
    config = folder / "config.json"
    # The last copy of the stack is cut short and lacks what the others have: what is found must not end the run.
    levels: dict[str, Any] = {rule.meta.name: "advisory" for rule in ALL if rule.meta.waivable}
    config.write_text(json.dumps({**levels, "namespace": {"allowedNamespaces": spaces}}))
    packs = {
        _WITHOUT: (),
        _IN_GO: ("--policy-pack", str(_in_go(folder))),
        _IN_PYTHON: ("--policy-pack", str(_in_python(folder))),
        _FULL: ("--policy-pack", pack(), "--policy-pack-config", str(config)),
    }
    return {name: Run((*trivial.PREVIEW, *extra), project.folder, variables) for name, extra in packs.items()}


def line(count: int, name: str, costs: Sequence[Cost], base: Sequence[Cost]) -> str:
    """A row: median seconds by the clock and of the processors, and both as ratios to ``base``."""
    wall, cpu = (statistics.median(each.wall for each in of) for of in (costs, base))
    mine, theirs = (statistics.median(each.cpu for each in of) for of in (costs, base))
    return f"{count:>9}  {name:<22} {wall:7.1f} s {wall / cpu:6.2f}x   {mine:7.1f} CPU s {mine / theirs:6.2f}x"


def main() -> None:
    """Prints a line for each size and kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=policy_check.SIZES)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    stack = policy_check.objects()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {options.rounds}; the goal is {LIMIT}x")
    for count in options.sizes:
        with tempfile.TemporaryDirectory(prefix="bench-policies-") as name:
            runs = _runs(Path(name) / "project", policy_check.copies(stack, count))
            costs: dict[str, list[Cost]] = {kind: [] for kind in runs}
            for _ in range(options.rounds):
                for kind, run in runs.items():
                    costs[kind].append(cost(run))
            for kind, of in costs.items():
                print(line(count, kind, of, costs[_WITHOUT]), flush=True)


if __name__ == "__main__":
    main()
