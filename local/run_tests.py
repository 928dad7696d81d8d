"""`make test`: prepares what the tests start (tools, Debian packages), then runs all that this machine can run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from local import debian, shell, toolchain
from local.cluster.machine import why_containers_cannot_run
from local.cluster.packages import CLUSTER_PACKAGES
from local.errors import LocalError
from local.images.packages import HOST_PACKAGES
from local.pulumi_cli import PROJECT_ROOT
from local.report import Report, ToolchainLines

# Servers that tests/services starts as plain processes, each on free ports and in its own folder; busybox is what runs
# in the pods of the cluster's own tests.
TEST_PACKAGES = ("busybox-static", "postgresql-15", "postgresql-client-15", "prometheus", "redis-server", "util-linux")
CLUSTER_TESTS = "tests/cluster"


def run_tests(arguments: Sequence[str]) -> int:
    """Runs pytest and returns its exit code; with CI=true, leaving anything out is a failure.

    Raises:
        ToolchainError: a tool cannot be built.
    """
    report = Report()
    left_out = _left_out(report)
    skip = [f"--ignore={CLUSTER_TESTS}"] if left_out else []
    with toolchain.start(toolchain.STAGES, progress=ToolchainLines(report)) as building:
        building.wait()
    command = [sys.executable, "-m", "pytest", *skip, *(arguments or ["tests"])]
    folders = [*map(str, shell.search_path(toolchain.bin_dir())), os.environ.get("PATH", "")]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    code = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, check=False).returncode
    if left_out:
        print(f"\nleft out: {CLUSTER_TESTS}, because {left_out}")
        return code or (1 if os.environ.get("CI") == "true" else 0)
    return code


def _left_out(report: Report) -> str | None:
    """Why the tests on the cluster cannot run here, or None where they can."""
    packages = [*(package.name for package in CLUSTER_PACKAGES), *HOST_PACKAGES, *TEST_PACKAGES]
    try:
        debian.ensure(packages, lambda line: report.say("packages", line))
    except LocalError as error:
        return str(error)
    return why_containers_cannot_run()
