"""Prometheus's and Alertmanager's own judges: promtool and amtool."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml


def run(tool: str, arguments: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a tool in a folder; what it says is in both streams of the answer."""
    assert shutil.which(tool), f"{tool} is not there; `make test` installs Debian's package of it"
    command = [tool, *map(str, arguments)]
    # Its little memory is collected all the time otherwise, which takes a quarter of its work.
    environment = {**os.environ, "GOGC": "800"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def judge(tests: list[dict[str, Any]], folder: Path, rules: Path, step: int) -> tuple[int, str]:
    """promtool's exit code and what it said of tests of a rule file, evaluated every ``step`` seconds."""
    document = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{step}s",
        # Else promtool takes the groups in any order, and what another group records is at times a step older.
        "group_eval_order": _groups(rules),
        "tests": tests,
    }
    (folder / "tests.yaml").write_text(yaml.safe_dump(document))
    done = run("promtool", ["test", "rules", "tests.yaml"], folder)
    return done.returncode, done.stdout + done.stderr


def _groups(rules: Path) -> list[str]:
    return [group["name"] for group in yaml.load(rules.read_text(), Loader=yaml.CSafeLoader)["groups"]]


def for_debians_amtool(config: dict[str, Any]) -> dict[str, Any]:
    """``url_file`` of a webhook is known from Alertmanager 0.26 on; Debian has 0.25."""
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            if webhook.pop("url_file", None):
                webhook["url"] = "https://heartbeat.example.com"
    return config
