"""`make test`: the tests on every core, while the tools that some of them start are still being made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType

from local import debian, shell, toolchain
from local.cluster.machine import why_containers_cannot_run
from local.cluster.packages import CLUSTER_PACKAGES, Package
from local.errors import LocalError
from local.images.packages import HOST_PACKAGES
from local.pulumi_cli import PROJECT_ROOT
from local.report import Report, ToolchainLines

# Servers that tests start as plain processes, each on ports and in folders of its own. Busybox runs in the pods of the
# cluster's own tests; promtool and amtool, by which tests/alerts judges rules and routes, come with their servers.
TEST_PACKAGES: tuple[Package | str, ...] = (
    # By its name alone: another package's busybox may need libraries, which pods do not have.
    "busybox-static",
    Package("pgbouncer", programs=("pgbouncer",), users=True),
    Package("postgresql-15", files=(Path("/usr/lib/postgresql/15/bin/postgres"),)),
    Package("postgresql-client-15", files=(Path("/usr/lib/postgresql/15/bin/pg_dump"),)),
    Package("prometheus", programs=("prometheus", "promtool"), users=True),
    Package("prometheus-alertmanager", programs=("prometheus-alertmanager", "amtool"), users=True),
    Package("redis-server", programs=("redis-server",), users=True),
    Package("util-linux", programs=("nsenter", "setpriv")),
)
FAST = ("unit", "program", "policies", "environment/parts")
"""The suites that need neither server nor tool."""
_WITHOUT_TOOLS = {*FAST, "alerts", "alert_mutation", "oracles"}
_CLUSTER_TESTS = ("tests/cluster", "tests/environment/cluster")
_FOLDER = PROJECT_ROOT / "tests"
# More have no shorter run, since the longest group decides it, and the numbers that tell their ports apart are few.
_MOST_WORKERS = 16


def suites() -> list[str]:
    """The names for `make test SUITE=...`: the folders below tests/ that have tests."""
    folders = {path.parent.relative_to(_FOLDER) for path in _FOLDER.rglob("test_*.py")}
    return sorted({str(name) for folder in folders for name in (folder, *folder.parents) if name.parts})


def workers() -> int:
    """How many processes run tests: one more than cores, because the long tests wait for clusters and servers."""
    return min(max(2, len(os.sched_getaffinity(0))) + 1, _MOST_WORKERS)


def run_tests(chosen: Sequence[str], arguments: Sequence[str]) -> int:
    """Runs pytest over these suites (default: all), named as folders of tests/, and returns its exit code.

    With CI=true, leaving anything out is a failure.

    Raises:
        LocalError: an unknown suite.
    """
    chosen = [_suite(name) for name in chosen]
    report, plain = Report(), bool(chosen) and set(chosen) <= set(FAST)
    left_out = None if plain else _left_out(report)
    skip = [f"--ignore={folder}" for folder in _CLUSTER_TESTS] if left_out else []
    spread = [f"--numprocesses={workers()}", "--dist=loadgroup", "--no-loadscope-reorder"]
    command = [sys.executable, "-m", "pytest", *spread, *skip, *arguments, *(f"tests/{name}" for name in chosen)]
    folders = [*map(str, shell.search_path(toolchain.bin_dir())), os.environ.get("PATH", "")]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    # Tests that need a tool wait for it; the others go on meanwhile.
    without = bool(chosen) and set(chosen) <= _WITHOUT_TOOLS
    building = nullcontext() if without else toolchain.start(toolchain.UP_STAGES, progress=ToolchainLines(report))
    with building:
        code = run_to_its_end(command, environment)
    if left_out:
        print(f"\nleft out: {', '.join(_CLUSTER_TESTS)}, because {left_out}")
        return code or (1 if os.environ.get("CI") == "true" else 0)
    return code


def _suite(name: str) -> str:
    """The suite of this name, or of this path as a shell completes it."""
    known, wanted = suites(), name.strip("/").removeprefix("tests/")
    if wanted not in known:
        raise LocalError(f"there is no suite {name!r}: choose from {', '.join(known)}")
    return wanted


def run_to_its_end(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the tests in the project's folder and returns their exit code, after an interruption as well.

    Ctrl-C reaches them by itself, as it reaches every process of the terminal; SIGTERM is handed on as an interrupt.
    They then end their servers and clusters, and tell what had failed until then.
    """
    tests: subprocess.Popen[bytes] | None = None
    asked = False

    def hand_on(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if number == signal.SIGTERM:
            asked = True
            if tests is not None:
                tests.send_signal(signal.SIGINT)

    # With a handler, because the tests would inherit it where a shell has this process ignore an interrupt.
    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with subprocess.Popen(command, cwd=PROJECT_ROOT, env=dict(environment)) as tests:
            if asked:
                tests.send_signal(signal.SIGINT)
            return tests.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _left_out(report: Report) -> str | None:
    """Why the tests on the cluster cannot run here, or None where they can."""
    try:
        debian.ensure([*CLUSTER_PACKAGES, *HOST_PACKAGES, *TEST_PACKAGES], lambda line: report.say("packages", line))
    except LocalError as error:
        return str(error)
    return why_containers_cannot_run()
