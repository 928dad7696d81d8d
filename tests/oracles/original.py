"""Programs in Go that ask the original of what is written again here: a JSON line in, a JSON line out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.toolchain.golang import find
from local.toolchain.versions import load

_MODULES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Original:
    """A running program."""

    process: subprocess.Popen[str]

    def answer(self, question: object) -> Any:
        """What the original says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def started(name: str, folder: Path, variables: Mapping[str, str] | None = None) -> Generator[Original]:
    """The module ``tests/oracles/<name>``, built into ``folder`` and started."""
    find(load())
    program = folder / name
    environment = {**os.environ, "CGO_ENABLED": "0", **(variables or {})}
    subprocess.run(
        ["go", "build", "-mod=readonly", "-o", program, "."], cwd=_MODULES / name, check=True, env=environment
    )
    with subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Original(process)
        assert process.stdin is not None
        process.stdin.close()
