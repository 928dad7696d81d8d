"""The generated pages."""

from __future__ import annotations

import pytest

from local import docs
from local.pulumi_cli import PROJECT_ROOT
from runbook import flows, settings
from runbook.flows import Outside
from tests.program.settings import load, stack_values


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
