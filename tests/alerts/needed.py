"""A rule file with one alert and what it reads: promtool evaluates every rule of a file at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.unit import promql


def needed(rules: Path, alert: str, folder: Path) -> Path:
    """Writes the file into a folder."""
    groups = yaml.load(rules.read_text(), Loader=yaml.CSafeLoader)["groups"]
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": _only(groups, alert)}))
    return path


def _only(groups: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Of the groups an alert and the recording rules that it reads, in their order."""
    recorded = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"] if "record" in rule}

    def reads(expression: str) -> set[str]:
        direct = promql.metrics(expression) & recorded.keys()
        return direct.union(*(reads(recorded[metric]) for metric in direct))

    wanted = {name, *reads(_rule(groups, name)["expr"])}
    kept = [
        {**group, "rules": [rule for rule in group["rules"] if wanted & {rule.get("alert"), rule.get("record")}]}
        for group in groups
    ]
    return [group for group in kept if group["rules"]]


def _rule(groups: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(rule for group in groups for rule in group["rules"] if rule.get("alert") == name)
