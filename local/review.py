"""`make review`: what a pull request is told. Both stacks previewed with the policies, findings as SARIF, one comment.

Everything is offline, as for somebody who has no access to either system: each stack is previewed as a first
deployment, which evaluates the whole program, every setting and every rule. The files are in build/review.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from components.stack_config import ENVIRONMENT_VARIABLE
from local import toolchain
from local.paths import Instance
from local.preview import NOWHERE, throwaway
from local.pulumi_cli import PROJECT_ROOT, PulumiCli, known_stacks, policy_config
from local.stack_files import EXAMPLE_ENVIRONMENT
from local.up import pulumi_cli
from policies.catalogue import ALL, BY_NAME
from policies.checking import check
from policies.configuring.configuration import Configuration
from policies.configuring.reading import read as read_configuration
from policies.reporting import as_json, console, github, sarif
from policies.reporting.result import Result, Standing
from policies.sources import preview as event_log
from policies.waiving.applying import Ledger
from policies.waiving.reading import default_file, today, waivers

FOLDER: Final = PROJECT_ROOT / "build" / "review"
# By this line the comment of an earlier run is found and written over.
MARKER: Final = "<!-- crypto-policy review -->"
_ICONS: Final = {Standing.MANDATORY: "❌", Standing.ADVISORY: "⚠️", Standing.WAIVED: "🕒"}
# GitHub takes 65,536 characters for a comment: what does not fit is in the checks.
_MOST_ROWS: Final = 40


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One stack's preview and what the policies say of it. ``broken`` is why there was no preview."""

    stack: str
    operations: Counter[str]
    result: Result | None
    broken: str = ""

    @property
    def well(self) -> bool:
        """The preview ran, and nothing stops an update."""
        return self.result is not None and self.result.clean


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
        if each.result is not None:
            _write(each.stack, each.result, folder)
    return 0 if all(each.well for each in reviews) else 1


def _review(cli: PulumiCli, stack: str, folder: Path) -> Reviewed:
    events = folder / f"{stack}.events.json"
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
        ended = PulumiCli(offline.program, variables).preview(
            stack, ["--config-file", str(config), "--event-log", str(events), "--suppress-progress"]
        )
    if not events.is_file():
        return Reviewed(stack, Counter(), None, f"the preview ended with exit code {ended} and no step")
    result = _judge(stack, events)
    # A preview that the policies stopped is no broken one.
    if ended != 0 and result.clean:
        return Reviewed(stack, operations(events), None, f"the preview ended with exit code {ended}")
    return Reviewed(stack, operations(events), result)


def _judge(stack: str, events: Path) -> Result:
    file = policy_config(stack)
    configuration = read_configuration(file, ALL) if file else Configuration()
    path = configuration.waivers or default_file(PROJECT_ROOT / "policies")
    metas = {name: rule.meta for name, rule in BY_NAME.items()}
    return check(event_log.read(events), ALL, configuration, Ledger(waivers(path, metas, today())))


def operations(events: Path) -> Counter[str]:
    """How many resources the preview would create, update, delete and so on."""
    found: Counter[str] = Counter()
    for line in events.read_text().splitlines():
        step = cast("dict[str, Any]", json.loads(line)).get("resourcePreEvent")
        if step:
            found[str(step["metadata"]["op"])] += 1
    return found


def _write(stack: str, result: Result, folder: Path) -> None:
    (folder / f"{stack}.sarif").write_text(sarif.text(result))
    (folder / f"{stack}.json").write_text(as_json.text(result))
    print(f"\n{stack}")
    in_actions = os.environ.get("GITHUB_ACTIONS") == "true"
    sys.stdout.write(github.text(result) if in_actions else console.text(result))


def comment(reviews: list[Reviewed]) -> str:
    """The comment in Markdown, with the marker in its first line."""
    lines = [MARKER, "## Preview and policies", ""]
    for each in reviews:
        lines += [*_section(each), ""]
    return "\n".join(lines).rstrip() + "\n"


def _section(review: Reviewed) -> Iterator[str]:
    result = review.result
    if result is None:
        yield f"### ❌ {review.stack}: {review.broken}"
        return
    yield f"### {'✅' if result.clean else '❌'} {review.stack}"
    yield ""
    steps = ", ".join(f"{count} {operation}" for operation, count in sorted(review.operations.items()))
    yield f"Offline, against an empty state: {steps or 'nothing to do'}. {result.summary}."
    rows = [entry for entry in result.entries if entry.standing in _ICONS]
    if not rows:
        return
    yield ""
    yield "| | Rule | Resource | Found | Allowed |"
    yield "| --- | --- | --- | --- | --- |"
    for entry in rows[:_MOST_ROWS]:
        finding, verdict = entry.finding, entry.finding.judgement
        link = f"[{finding.rule.name}](docs/policies.md#{finding.rule.name})"
        cells = (finding.resource, f"{verdict.path} is {verdict.found}", verdict.allowed)
        yield f"| {_ICONS[entry.standing]} | {link} | {' | '.join(map(_cell, cells))} |"
    if len(rows) > _MOST_ROWS:
        yield ""
        yield f"{len(rows) - _MOST_ROWS} more are in the checks."


def _cell(text: str) -> str:
    """A cell that stays one: no bars, no mentions of people, nothing that is Markdown or HTML."""
    escaped = "".join(f"\\{sign}" if sign in "\\`*_{}[]|#~" else sign for sign in text)
    return " ".join(escaped.replace("<", "&lt;").replace("@", "@\u200b").split())
