"""A rule file with some alerts and what they read: promtool evaluates every rule of a file at every step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.unit import promql


def needed(rules: Path, rule: str, folder: Path, *others: str) -> Path:
    """Writes the file of an alert or of what is recorded, and of ``others``, into a folder."""
    groups = yaml.load(rules.read_text(), Loader=yaml.CSafeLoader)["groups"]
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": _only(groups, (rule, *others))}))
    return path


def _only(groups: list[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Of the groups the rules of these names and the recording rules that they read, in their order."""
    recorded = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"] if "record" in rule}

    def reads(expression: str) -> set[str]:
        direct = promql.metrics(expression) & recorded.keys()
        return direct.union(*(reads(recorded[metric]) for metric in direct))

    wanted = set(names).union(*(reads(_rule(groups, name)["expr"]) for name in names))
    kept = [
        {**group, "rules": [rule for rule in group["rules"] if wanted & {rule.get("alert"), rule.get("record")}]}
        for group in groups
    ]
    return [group for group in kept if group["rules"]]


def _rule(groups: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(rule for group in groups for rule in group["rules"] if name in (rule.get("alert"), rule.get("record")))
