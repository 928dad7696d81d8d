"""kubectl against the environment's cluster, whichever that is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import LocalError

# A command of many requests goes on as long as each of them is answered.
_REQUEST = "--request-timeout=60s"
_COMMAND_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A kubectl program, a kubeconfig and a context in it."""

    program: Path
    kubeconfig: Path
    context: str

    def run(self, *arguments: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Standard output of a kubectl command.

        Raises:
            LocalError: it failed or took too long; the message has kubectl's last line.
        """
        return self._call(arguments, stdin, timeout_seconds)

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object or a list of objects."""
        return json.loads(self._call(("get", *arguments, "--output=json", _REQUEST), None, _COMMAND_SECONDS))

    def apply(self, objects: Sequence[dict[str, Any]]) -> None:
        """Applies objects; they go through standard input, so that none of their values stands in an argument."""
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self._call(
            ("apply", "--server-side", "--force-conflicts", "--filename=-", _REQUEST), document, _COMMAND_SECONDS
        )

    def _call(self, arguments: Sequence[str], stdin: str | None, timeout_seconds: float) -> str:
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--context={self.context}", *arguments]
        try:
            run = subprocess.run(
                command, input=stdin, capture_output=True, text=True, timeout=timeout_seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise LocalError(
                f"kubectl {arguments[0]} gave no answer in {timeout_seconds:.0f} s", passing=True
            ) from None
        if run.returncode != 0:
            lines = run.stderr.strip().splitlines() or ["no reason given"]
            raise LocalError(f"kubectl {' '.join(arguments[:3])} failed: {lines[-1]}")
        return run.stdout
