"""`make preview`: what `pulumi up` would change, judged by the policy pack.

The local stack is compared with the running environment. Another stack is compared with its own backend where the shell
names one; without that (a laptop, a pull request from a fork) it is previewed offline: a first deployment, against
nothing, which still evaluates the whole program, every setting and every policy.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from local import shell, toolchain
from local.errors import LocalError
from local.paths import Instance
from local.pulumi_cli import PROJECT_ROOT, PulumiCli, check_stack
from local.settings import STACK
from local.up import pulumi_cli

BACKEND_VARIABLE = "PULUMI_BACKEND_URL"
NOWHERE = "http://127.0.0.1:9"


def preview(instance: Instance, stack: str) -> int:
    """Previews the stack and returns the engine's exit code.

    Raises:
        LocalError: an unknown stack, or the local environment does not run.
    """
    check_stack(stack)
    tools = toolchain.ensure(["pulumi", "pulumi-language-python", "pulumi-resource-kubernetes"])
    cli = pulumi_cli(instance, tools)
    if stack == STACK:
        if not shell.environment_file(instance).exists():
            raise LocalError("the local environment has never run here; `make up` first")
        return cli.preview(stack)
    backend = os.environ.get(BACKEND_VARIABLE)
    if backend and backend != cli.variables[BACKEND_VARIABLE]:
        own = {name: value for name, value in cli.variables.items() if name in ("PATH", "PULUMI_HOME", "GOGC")}
        return PulumiCli(cli.program, own).preview(stack)
    print(f"offline: no {BACKEND_VARIABLE} is set, so this shows what a first deployment would create", file=sys.stderr)
    with throwaway(cli, stack) as (offline, config):
        return offline.preview(stack, ["--config-file", str(config)])


@contextmanager
def throwaway(cli: PulumiCli, stack: str) -> Generator[tuple[PulumiCli, Path]]:
    """A CLI with a state that is gone afterwards, and a copy of the stack's file that it may write to."""
    with tempfile.TemporaryDirectory(prefix="crypto-preview-") as folder:
        config = Path(folder) / f"Pulumi.{stack}.yaml"
        shutil.copy(PROJECT_ROOT / f"Pulumi.{stack}.yaml", config)
        # The stack's own key is not at hand offline, and nothing is encrypted that outlives this folder.
        lines = [line for line in config.read_text().splitlines() if not line.startswith("secretsprovider:")]
        config.write_text("\n".join(lines) + "\n")
        state = Path(folder) / "state"
        state.mkdir()
        variables = {
            **cli.variables,
            BACKEND_VARIABLE: f"file://{state}",
            # The discard port of this machine: the stand-in accepts it, and a preview calls nothing.
            "CRYPTO_AWS_ENDPOINT": NOWHERE,
            "AWS_ENDPOINT_URL": NOWHERE,
            "KUBECONFIG": os.devnull,
        }
        offline = PulumiCli(cli.program, variables)
        # `stack init` writes into the stack's file beside the project's: both are copies here.
        shutil.copy(PROJECT_ROOT / "Pulumi.yaml", folder)
        offline.create_stack(stack, Path(folder))
        yield offline, config
