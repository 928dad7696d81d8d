"""What a linter found: in which stack, at which object and field."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from local.errors import LocalError


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing to mend. ``where`` is the object (``Deployment/sentiment``), ``field`` a path in it or empty."""

    stack: str
    where: str
    field: str
    text: str

    def line(self) -> str:
        """Such as ``prod Deployment/sentiment spec.replicas: got string, want integer``."""
        return " ".join(part for part in (self.stack, self.where, self.field) if part) + f": {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a tool says of all stacks: one line of summary, and what must be mended before the gate opens."""

    tool: str
    summary: str
    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...] = ()

    def lines(self) -> list[str]:
        """The summary, then what was found; the summary alone where all is well."""
        found = [f"  {finding.line()}" for finding in self.findings]
        return [f"{self.tool}: {self.summary}", *found, *(f"  warning: {finding.line()}" for finding in self.warnings)]


def output(command: Sequence[str], expected: Sequence[int]) -> str:
    """What a linter prints.

    Raises:
        LocalError: it ended with another exit code than the expected ones, which tell "all well" from "findings".
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in expected:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise LocalError(f"{command[0]} ended with exit code {done.returncode}: {lines[-1]}")
    return done.stdout
