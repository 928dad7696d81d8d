"""The Pulumi CLI with the environment's own home, state and plugins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

PROJECT_ROOT = Path(__file__).resolve().parents[1]
PASSPHRASE = "local"  # noqa: S105 (protects nothing: the state of the local stack holds no secret)
POLICY_PACK = "policies"
# By how much Go's heap grows, in percent, before it looks for garbage. A command of the engine lives for seconds: with
# Go's own 100 a tenth of its and its plugins' CPU time goes into that, and with this 40 MB more memory.
HEAP_GROWTH = "400"


@dataclass(frozen=True, slots=True)
class PulumiCli:
    """A pulumi program and the variables that it runs with."""

    program: Path
    variables: Mapping[str, str]

    def run(self, *arguments: str) -> int:
        """Runs in the project's folder, with its output for the user, and returns the exit code."""
        return subprocess.run(
            self._command(arguments), cwd=PROJECT_ROOT, env=self._environment(), check=False
        ).returncode

    def ensure_stack(self, stack: str) -> None:
        """Creates the stack where it is missing.

        Raises:
            LocalError: there is no file with the stack's settings, or the engine refused.
        """
        check_stack(stack)
        selected = subprocess.run(
            self._command(("stack", "select", stack)),
            cwd=PROJECT_ROOT,
            env=self._environment(),
            capture_output=True,
            check=False,
        )
        if selected.returncode != 0:
            self.create_stack(stack, PROJECT_ROOT)

    def create_stack(self, stack: str, folder: Path) -> None:
        """Creates the stack of the project in ``folder``.

        Raises:
            LocalError: the engine refused; the message has its last line.
        """
        made = subprocess.run(
            self._command(("stack", "init", stack)),
            cwd=folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            lines = made.stderr.strip().splitlines() or ["no reason given"]
            raise LocalError(f"the stack {stack} could not be created: {lines[-1].removeprefix('error: ')}")

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [str(self.program), *arguments, "--non-interactive"]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables}

    def up(self, stack: str) -> int:
        """Brings the stack to what the program declares, judged by the policy pack first."""
        return self.run("up", "--stack", stack, "--yes", "--skip-preview", *policy_pack(stack))

    def preview(self, stack: str, extra: Sequence[str] = ()) -> int:
        """Shows what would change, and what the policy pack says of it."""
        return self.run("preview", "--stack", stack, *policy_pack(stack), *extra)


def known_stacks() -> list[str]:
    """The stacks that have a file with settings, in alphabetical order."""
    return sorted(path.name.split(".")[1] for path in PROJECT_ROOT.glob("Pulumi.*.yaml"))


def check_stack(stack: str) -> None:
    """Refuses a stack that has no file with settings.

    Raises:
        LocalError: there is none; the message lists those that there are.
    """
    known = known_stacks()
    if stack not in known:
        raise LocalError(f"unknown stack {stack!r}; known are {', '.join(known)}")


def policy_pack(stack: str) -> list[str]:
    """Arguments that judge a stack by the policy pack, with the stack's own tightening of it where there is one."""
    config = policy_config(stack)
    own = ["--policy-pack-config", str(config)] if config else []
    return ["--policy-pack", pack(), *own]


def policy_config(stack: str) -> Path | None:
    """The file with the stack's own configuration of the pack, where it has one."""
    config = PROJECT_ROOT / POLICY_PACK / "config" / f"{stack}.json"
    return config if config.is_file() else None


def pack() -> str:
    """The pack's own program, which the engine starts without a language host; else the folder, which needs one."""
    program = Path(sys.executable).with_name("crypto-policy-pack")
    return str(program) if program.is_file() else POLICY_PACK


def without_automatic_log(home: Path) -> None:
    """Keeps the engine from writing every property of every call into a compressed log of its own in ``home``.

    That was a third of a preview's time, and the engine has no setting for it; it goes on without where the folder
    cannot be made. What ``-v`` asks for is logged as ever.
    """
    logs = home / "logs"
    if logs.is_dir():
        shutil.rmtree(logs)
    home.mkdir(parents=True, exist_ok=True)
    logs.touch()


def variables(state: Path) -> dict[str, str]:
    """Variables of the CLI: its home and its state live in the instance's folder."""
    return {
        "PULUMI_HOME": str(state / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{state / 'pulumi-state'}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        # Every plugin is installed already; asking for more costs each command seconds.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "GOGC": os.environ.get("GOGC", HEAP_GROWTH),
    }
