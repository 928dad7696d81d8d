"""The policies' reading of routes, judged by amtool: who is told of an alert by any tree of routes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies import alertmanager_files, routes
from policies.model import Resource
from policies.plain import to_plain
from runbook import severities
from tests.alerts.tools import run

_VALUES = {
    "=": ("P1", "P4", "P"),
    "!=": ("P1", "P2"),
    "=~": ("P[12]", "P", "P1|P3", ".*", "(P1)?"),
    "!~": ("P[34]", "P.", "P1"),
}


def _tree(chance: random.Random, depth: int, name: str) -> dict[str, Any]:
    """A route of a receiver of its own, with routes below it."""
    kind = chance.choice([*_VALUES])
    value = chance.choice(_VALUES[kind])
    older = {"=": "match", "=~": "match_re"}.get(kind)
    stated: dict[str, Any] = {"matchers": [f'severity{kind}"{value}"']}
    if older and chance.random() < 0.3:
        stated = {older: {"severity": value}}
    below = [_tree(chance, depth - 1, f"{name}-{number}") for number in range(chance.randint(0, 3) if depth else 0)]
    return {"receiver": name, **stated, "continue": chance.random() < 0.4, "routes": below}


def _receivers(route: dict[str, Any]) -> list[str]:
    return [route["receiver"], *(name for child in route.get("routes", []) for name in _receivers(child))]


@pytest.mark.parametrize("seed", range(12))
def test_the_policies_route_as_alertmanager_does(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311  examples, and no secrets
    root = {"receiver": "all", "routes": [_tree(chance, 2, f"r{number}") for number in range(4)]}
    config = {"route": root, "receivers": [{"name": name} for name in _receivers(root)]}
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    properties = to_plain({"data": {"alertmanager.yml": file.read_text()}})
    assert isinstance(properties, dict)
    (spec,) = alertmanager_files.specs(Resource("kubernetes:core/v1:ConfigMap", "a", "urn", properties))
    for severity in severities.ALL:
        told = routes.told(spec.at("route"), {"severity": severity.name})
        done = run(
            "amtool", ["config", "routes", "test", f"--config.file={file}", f"severity={severity.name}"], tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert told == done.stdout.strip().split(",")
