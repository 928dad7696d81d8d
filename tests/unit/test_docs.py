"""The generated pages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from local import docs
from local.pulumi_cli import PROJECT_ROOT
from runbook import flows, settings
from runbook.flows import Outside
from tests.program.settings import load, stack_values
from tests.unit import command_line

_PAGES = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").rglob("*.md"))]
# What has no namespace: nodes, and commands that are only named.
_EVERYWHERE = re.compile(r"kubectl (top nodes|\w+|create token monitoring)")


def _printed(text: str) -> Iterator[tuple[str, bool]]:
    """Each command of a page, and whether it stands there to be typed: in a block, or as what an alert tells."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from ((line.partition("  #")[0].partition(" > ")[0].strip(), True) for line in block.splitlines())
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in re.split(r"\n(?=[-*|#\n])", prose):
        typed = line.startswith(("- Look with", "- Mend with"))
        yield from ((" ".join(span.split()), typed) for span in re.findall(r"`([^`]+)`", line))


def _spelled_out(command: str) -> Iterator[list[str]]:
    """The commands that a notation stands for: `a|b` for either, `[--x]` for what may be left out."""
    words = shlex.split(re.sub(r"[][]|<(?=\w)|(?<=\w)>", "", command))
    yield from (list(chosen) for chosen in product(*(word.split("|") for word in words if word != "...")))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_printed_command_of_ops_can_be_typed(page: Path) -> None:
    for command, typed in _printed(page.read_text()):
        if not command.startswith("ops "):
            continue
        for _, *words in _spelled_out(command):
            if words != ["--help"] and (typed or " ".join(words) not in command_line.NAMES):
                command_line.parse(words)


# The programs of this page run in an empty project and know no namespace of ours.
@pytest.mark.parametrize("page", [page for page in _PAGES if page.name != "upstream.md"], ids=lambda page: page.name)
def test_every_printed_command_of_kubectl_names_the_namespace(page: Path) -> None:
    namespace = settings.Settings.model_fields["namespace"].default
    bare = [
        command
        for command, _ in _printed(page.read_text())
        if command.startswith("kubectl ") and f" -n {namespace} " not in command and not _EVERYWHERE.fullmatch(command)
    ]

    assert bare == []


def test_the_runbooks_commands_are_among_what_is_looked_at() -> None:
    typed = [command for command, typed in _printed((PROJECT_ROOT / "docs/runbook.md").read_text()) if typed]

    assert "ops kafka partitions price_updates 48" in typed
    assert "kubectl -n crypto get pvc" in typed
    assert len(typed) > 100


@pytest.mark.parametrize("name", docs.PAGES)
def test_a_committed_page_is_the_generated_one(name: str) -> None:
    assert (PROJECT_ROOT / name).read_text() == docs.PAGES[name](), "run `make docs` and commit the result"


def test_the_network_page_shows_every_flow() -> None:
    page = docs.PAGES["docs/network.md"]()
    table = flows.flows(settings.load(stack_values("prod")))
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(table) == len(rows) - 2
    for flow in table:
        source, target = (party.value if isinstance(party, Outside) else party for party in (flow.source, flow.target))
        assert any(row.startswith(f"| {source} | {target} | ") for row in rows), f"{source} -> {target}"


def test_a_flow_is_stated_once() -> None:
    for stack in ("local", "prod"):
        table = [(flow.source, flow.target) for flow in flows.flows(load(stack))]
        assert len(table) == len(set(table))
