"""The table at the end of a run: where its time went."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

_SLOWEST: Final = 20
_SLOW_SECONDS: Final = 0.1
_REASON_CHARACTERS: Final = 1500
_CPU: Final = "cpu seconds"


# CPU time of processes that ended as children of others (seconds).
_others: list[float] = []


def add_cpu_seconds(seconds: float) -> None:
    """Adds the CPU time of a process that ended as the child of another (seconds)."""
    _others.append(seconds)


def cpu_seconds() -> float:
    """CPU time of this process, of its ended children, and of the added processes (seconds)."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used) + sum(_others)


def machine_seconds() -> float:
    """CPU time of the whole machine since its start (seconds), other programs included."""
    user, nice, system, _idle, _waiting, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def suite_of(nodeid: str) -> str:
    """The folder of tests/ that a test stands in."""
    return nodeid.split("/")[1]


def _parted(nodeid: str) -> tuple[str, str]:
    """The name of a test and the group that xdist writes behind it. A parameter may hold an @ as well."""
    name, sign, group = nodeid.rpartition("@")
    return (name, group) if sign and "]" not in group else (nodeid, "")


class Counting:
    """Counts CPU seconds of each test, in the process that runs it."""

    def __init__(self) -> None:
        self._before = cpu_seconds()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.when == "teardown":
            now = cpu_seconds()
            item.user_properties.append((_CPU, now - self._before))
            self._before = now


class Figures:
    """Collects the figures of every test, in the process that reports."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._failed: list[str] = []
        self._began = time.monotonic()
        self._busy = machine_seconds()
        self._wall: defaultdict[str, float] = defaultdict(float)
        self._cpu: defaultdict[str, float] = defaultdict(float)
        self._tests: Counter[str] = Counter()
        self._groups: defaultdict[str, float] = defaultdict(float)
        self._phases: list[tuple[float, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name, group = _parted(report.nodeid)
        suite = suite_of(name)
        self._wall[suite] += report.duration
        self._phases.append((report.duration, name if report.when == "call" else f"{report.when} of {name}"))
        if report.failed:
            self._failed.append(f"{name}\n{report.longreprtext[-_REASON_CHARACTERS:]}")
        if group:
            self._groups[group] += report.duration
        if report.when == "teardown":
            self._tests[suite] += 1
            self._cpu[suite] += float(dict[str, Any](report.user_properties).get(_CPU, 0))

    def pytest_runtest_logfinish(self) -> None:
        """Shows a failure when it happens, with the end of its text; the whole stands at the end of the run."""
        while self._failed:
            self._terminal.write_line(f"\nfailed: {self._failed.pop()}", red=True)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._tests:
            return
        write = terminalreporter.write_line
        terminalreporter.section("where the time went")
        write(f"{'suite':<16}{'tests':>8}{'seconds':>10}{'CPU':>8}")
        for suite, seconds in sorted(self._wall.items(), key=lambda entry: -entry[1]):
            write(f"{suite:<16}{self._tests[suite]:>8}{seconds:>10.0f}{self._cpu[suite]:>8.0f}")
        wall, cores = time.monotonic() - self._began, len(os.sched_getaffinity(0))
        busy = machine_seconds() - self._busy
        share = 100 * busy / (wall * cores)
        write(f"{wall:.0f} s; the machine's {cores} cores worked {busy:.0f} s, {share:.0f}% of that")
        if self._groups:
            longest = sorted(self._groups.items(), key=lambda entry: -entry[1])[:5]
            write("longest groups: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in longest))
        slow = sorted((phase for phase in self._phases if phase[0] >= _SLOW_SECONDS), reverse=True)
        write(f"the {_SLOWEST} slowest tests and set-ups of {_SLOW_SECONDS} s and more:")
        for seconds, what in slow[:_SLOWEST]:
            write(f"{seconds:>8.1f} s  {what}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Counting(), "cpu-counting")
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        config.pluginmanager.register(Figures(terminal), "figures")
