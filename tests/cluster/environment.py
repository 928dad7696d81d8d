"""An instance of the whole environment for the tests, driven by the commands that people use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.paths import Instance
from tests.running.owned import owned

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said; ``output`` is both streams together."""

    code: int
    output: str


@dataclass
class Environment:
    """The instance and the variables of a shell that uses it."""

    instance: Instance
    base: Mapping[str, str]
    shell: dict[str, str] = field(default_factory=dict[str, str])

    def local(self, *arguments: str, timeout: float = 900) -> Answer:
        """`python -m local ...`, as the Makefile's targets call it."""
        return _run([sys.executable, "-m", "local", *arguments], self.base, timeout)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The same in the background, as a process group of its own."""
        command = owned([sys.executable, "-m", "local", *arguments])
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=ROOT, env=dict(self.base), stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )

    def beside(self, changes: Mapping[str, str]) -> Environment:
        """Another instance on the same machine."""
        values = {**self.base, **changes}
        return Environment(Instance.from_environment(values), values)

    def load_shell(self) -> None:
        """What `eval "$(make -s env)"` does, in a real shell."""
        exports = _run([sys.executable, "-m", "local", "env"], self.base, 60)
        assert exports.code == 0, exports.output
        script = f"{exports.output}\nexec {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
        shown = subprocess.run(["sh", "-c", script], env=self.base, capture_output=True, text=True, check=True)
        self.shell = json.loads(shown.stdout)

    def run(self, *command: str, timeout: float = 300) -> Answer:
        """A command in a shell that has the environment."""
        return _run(list(command), self.shell, timeout)

    def ok(self, *command: str, timeout: float = 300) -> str:
        """The output of a command that must succeed."""
        answer = self.run(*command, timeout=timeout)
        assert answer.code == 0, f"{' '.join(command)}:\n{answer.output}"
        return answer.output

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object of the cluster, or a list of them."""
        return json.loads(self.ok("kubectl", "get", *arguments, "--output=json"))

    def apply(self, objects: list[dict[str, Any]]) -> None:
        """Applies objects, with kubectl."""
        self._feed(objects, "apply", "--server-side", "--force-conflicts")

    def delete(self, objects: list[dict[str, Any]]) -> None:
        """Deletes objects, without waiting for their end."""
        self._feed(objects, "delete", "--ignore-not-found", "--wait=false")

    def _feed(self, objects: list[dict[str, Any]], *command: str) -> None:
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        whole = ["kubectl", *command, "--filename=-"]
        done = subprocess.run(whole, env=self.shell, input=document, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def image(self, name: str) -> str:
        """The reference of an image of the environment."""
        return json.loads((self.instance.state_dir / "environment.json").read_bytes())["images"][name]

    def sql(self, statement: str, database: str = "crypto_db") -> str:
        """The answer of PostgreSQL in its pod, unadorned."""
        psql = ["psql", "--username=postgres", f"--dbname={database}", "--tuples-only", "--no-align"]
        pod = ("kubectl", "exec", "--namespace=crypto", "postgres-0", "--")
        return self.ok(*pod, *psql, f"--command={statement}").strip()

    def tables(self, database: str) -> list[str]:
        """The tables of a database's own schema; never none."""
        names = self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database).split()
        assert names, f"{database} has no tables"
        return names


def _run(command: list[str], variables: Mapping[str, str], timeout: float) -> Answer:
    run = subprocess.run(
        owned(command),
        cwd=ROOT,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Answer(run.returncode, run.stdout)


def variables(state_home: Path, name: str, slot: int) -> dict[str, str]:
    """Variables of an instance of its own."""
    return {**os.environ, "XDG_STATE_HOME": str(state_home), "CRYPTO_INSTANCE": name, "CRYPTO_SLOT": str(slot)}
