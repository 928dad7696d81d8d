"""`python -m local lint-manifests`: renders every stack and has independent tools judge the objects."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from local import toolchain
from local.manifests import kube_score, kubeconform, render, schemas
from local.manifests.findings import Verdict
from local.pulumi_cli import known_stacks
from local.toolchain.versions import load

TOOLS = (kubeconform.NAME, kube_score.NAME)


def lint() -> int:
    """Prints a line a tool and one for each finding; 1 where something must be mended.

    Raises:
        LocalError: a stack that cannot be rendered, or a tool that failed.
        ToolchainError: a tool or the schemas cannot be had.
    """
    tools = toolchain.ensure(TOOLS)
    with tempfile.TemporaryDirectory(prefix="crypto-manifests-") as folder:
        verdicts = judge(tools[kubeconform.NAME], tools[kube_score.NAME], known_stacks(), Path(folder))
    for verdict in verdicts:
        print("\n".join(verdict.lines()))
    return 1 if any(verdict.findings for verdict in verdicts) else 0


def judge(conform: Path, score: Path, stacks: Sequence[str], folder: Path) -> list[Verdict]:
    """Renders the stacks into a folder; what the two programs say of them.

    Raises:
        LocalError, ToolchainError: as ``lint``.
    """
    for stack in stacks:
        render.write(stack, folder)
    rendered = {stack: folder / stack for stack in stacks}
    version = load().version_of("kube-apiserver")
    return [
        kubeconform.judge(conform, schemas.folder(), rendered, version),
        kube_score.judge(score, rendered, version, kube_score.ignored()),
    ]
