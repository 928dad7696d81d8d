"""The whole program's resource graph, against a committed picture of it.

A changed name or type is a replacement in somebody's production. When the change is meant, write the pictures anew with
``UPDATE_GRAPHS=1 pytest tests/program/test_graph.py`` and read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.program.engine import Registered

_FOLDER = Path(__file__).parent / "graphs"


def _picture(resources: list[Registered]) -> str:
    lines = sorted(
        " ".join(
            [
                resource.token,
                resource.name,
                f"under {resource.parent.rsplit('::', 1)[-1]}",
                *(["protected"] if resource.protect else []),
                *(["retained"] if resource.retain_on_delete else []),
            ]
        )
        for resource in resources
    )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["local", "prod"])
def test_the_resource_graph_is_the_committed_one(name: str, request: pytest.FixtureRequest) -> None:
    picture, path = _picture(request.getfixturevalue(f"{name}_stack")), _FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GRAPHS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(picture)
    assert picture == path.read_text(), "the graph changed; see this file's first lines"


def test_production_declares_everything_that_local_does(
    local_stack: list[Registered], prod_stack: list[Registered]
) -> None:
    local = {(resource.token, resource.name) for resource in local_stack}
    assert local
    # Only an environment without an ACME server has an authority of its own.
    authority = {"certificates-self-signed", "certificates-authority", "certificates-ca"}
    missing = local - {(resource.token, resource.name) for resource in prod_stack}
    assert {name for _, name in missing} == authority
