"""`make review`: both stacks previewed and judged by the policies of this checkout, findings as SARIF, one comment.

Everything is offline, as for an author who has no access to either system: each stack is previewed as a first
deployment, which evaluates the whole program, every setting and every rule. The files are in build/review.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from components.stack_config import ENVIRONMENT_VARIABLE
from local import toolchain
from local.paths import Instance
from local.preview import NOWHERE, throwaway
from local.pulumi_cli import PROJECT_ROOT, PulumiCli, known_stacks
from local.review.comment import comment
from local.review.judging import EVENTS, Reviewed, judge, write
from local.stack_files import EXAMPLE_ENVIRONMENT
from local.up import pulumi_cli
from policies.reporting import console, github

FOLDER: Final = PROJECT_ROOT / "build" / "review"


def review(instance: Instance, folder: Path = FOLDER) -> int:
    """Reviews every stack, writes the files and prints the findings; 1 where something must be mended.

    Raises:
        LocalError, ToolchainError: the engine cannot be had.
    """
    tools = toolchain.ensure(["pulumi", "pulumi-language-python", "pulumi-resource-kubernetes"])
    cli = pulumi_cli(instance, tools)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    reviews = [_review(cli, stack, folder) for stack in known_stacks()]
    (folder / "comment.md").write_text(comment(reviews))
    for each in reviews:
        write(each, folder)
        _show(each)
    return 0 if all(each.well for each in reviews) else 1


def _review(cli: PulumiCli, stack: str, folder: Path) -> Reviewed:
    events = folder / f"{stack}{EVENTS}"
    environment = folder / "environment.json"
    nowhere = EXAMPLE_ENVIRONMENT.model_copy(update={"aws_endpoint": NOWHERE})
    environment.write_text(nowhere.model_dump_json(by_alias=True))
    with throwaway(cli, stack) as (offline, config):
        # The engine has `--event-log` only among its commands for debugging.
        variables = {
            **offline.variables,
            ENVIRONMENT_VARIABLE: str(environment),
            "PULUMI_DEBUG_COMMANDS": "true",
        }
        PulumiCli(offline.program, variables).preview(
            stack, ["--config-file", str(config), "--event-log", str(events), "--suppress-progress"]
        )
    return judge(stack, events)


def _show(review: Reviewed) -> None:
    print(f"\n{review.stack}")
    if review.result is None:
        print(review.broken)
        return
    in_actions = os.environ.get("GITHUB_ACTIONS") == "true"
    sys.stdout.write(github.text(review.result) if in_actions else console.text(review.result))
