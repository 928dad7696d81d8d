"""The policy pack in its own process, run by the real engine over an exported state: no cluster, no login."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.policies.cases import PRODUCTION
from tests.policies.exported import exported
from tests.policies.servicer import secret
from tests.policies.stack import Stack, good_stack
from tests.policies.violations import failing_cases, one_violation_of_each_rule

pytestmark = pytest.mark.timeout(180)

_ROOT = Path(__file__).resolve().parents[2]
_MEMORY = "spec.template.spec.containers.0.resources.requests.memory"
# As the engine writes a string that it does not know yet.
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@dataclass(frozen=True)
class Run:
    """What the engine said."""

    code: int
    output: str

    def has(self, level: str, rule: str) -> bool:
        """A violation of the rule was reported at that level."""
        return any(f"[{level}]" in line and f" {rule} " in line for line in self.output.splitlines())


def violated(output: str, levels: str = "mandatory") -> set[str]:
    """Names of the rules that were reported at one of the levels (a regular expression)."""
    return set(re.findall(rf"\[(?:{levels})\] (?:\[severity: \w+\] )? *([a-z0-9-]+) ", output))


Analyze: TypeAlias = Callable[..., Run]


# As the engine starts any pack, and as it starts a program that is one.
_PACKS = ("policies", str(Path(sys.executable).with_name("crypto-policy-pack")))


@pytest.fixture(params=_PACKS, ids=["folder", "program"])
def analyze(pulumi_cli: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Analyze:
    """Runs ``pulumi policy analyze`` on a stack, with the pack's configuration if one is given."""
    environment = {
        **os.environ,
        "PATH": f"{pulumi_cli.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_CONFIG_PASSPHRASE": "local",
        "NO_COLOR": "1",
    }

    def run(stack: Stack, config: dict[str, Any] | None = None) -> Run:
        state = tmp_path / "state.json"
        state.write_text(json.dumps(exported(stack)))
        command = [str(pulumi_cli), "policy", "analyze", "--file", str(state), "--policy-pack", request.param]
        if config is not None:
            settings = tmp_path / "config.json"
            settings.write_text(json.dumps(config))
            command += ["--policy-pack-config", str(settings)]
        done = subprocess.run(
            command, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        return Run(done.returncode, done.stdout + done.stderr)

    return run


def test_stacks_with_one_violation_of_each_rule_have_exactly_those(analyze: Analyze) -> None:
    seen: set[str] = set()
    for stack, wanted in one_violation_of_each_rule():
        run = analyze(stack, PRODUCTION)
        assert violated(run.output, "mandatory|advisory") == wanted, run.output
        seen |= wanted
    assert seen >= {case[0] for case in failing_cases()}


def test_what_a_rule_would_mend_is_told_with_the_place(analyze: Analyze) -> None:
    stack = good_stack().without("encryption", "rules.0.applyServerSideEncryptionByDefault")
    # An analysis of a state tells of a remediation and changes nothing.
    run = analyze(stack, {"bucket-encryption": {"enforcementLevel": "remediate"}})
    assert run.has("remediate", "bucket-encryption"), run.output
    assert "[diff: ~rules]" in run.output


def test_a_level_that_a_rule_does_not_admit_is_refused(analyze: Analyze) -> None:
    run = analyze(good_stack(), {"waivers": {"enforcementLevel": "disabled"}})
    assert run.code != 0
    assert "waivers: allowed: mandatory" in run.output
    assert "Traceback" not in run.output


def test_the_good_stack_is_clean(analyze: Analyze) -> None:
    run = analyze(good_stack())
    assert run.code == 0, run.output
    assert "crypto@v" in run.output
    assert "mandatory" not in run.output


def test_a_sentiment_service_of_1gi_fails_and_the_rule_value_and_section_are_named(analyze: Analyze) -> None:
    run = analyze(good_stack().with_value("sentiment-deployment", _MEMORY, "1Gi"))
    assert run.code != 0
    assert run.has("mandatory", "sentiment-memory-range")
    assert run.output.count("[mandatory]") == 1
    wanted = ('"1Gi"', "4Gi to 8Gi", "Runbook 3.5", "docs/runbook.md#section-3-5")
    assert [part for part in wanted if part not in run.output] == []


def test_rules_over_the_stack_and_over_resources_speak_in_one_run(analyze: Analyze) -> None:
    stack = (
        good_stack().without("encryption").with_value("analytics-hpa", "spec.maxReplicas", 9).without("redis-config")
    )
    run = analyze(stack)
    assert run.code != 0
    # Nine pods of analytics do not fit the quota either, and a Redis without its file says nothing of what it keeps.
    of_redis = ("redis-maxmemory", "redis-evicts", "redis-persistent", "redis-users")
    for rule in ("bucket-fully-configured", "hpa-range", "quota-fits-peak", *of_redis):
        assert run.has("mandatory", rule), rule


def test_what_is_not_yet_known_is_advice_and_no_failure(analyze: Analyze) -> None:
    run = analyze(good_stack().with_value("sentiment-deployment", _MEMORY, _UNKNOWN))
    assert run.code == 0, run.output
    assert run.has("advisory", "sentiment-memory-range")
    assert "not yet known" in run.output


def test_a_secret_stays_out_of_the_messages(analyze: Analyze) -> None:
    hidden = {**secret("unused"), "plaintext": json.dumps("hunter2")}
    del hidden["value"]
    run = analyze(good_stack().with_value("backup", "spec.schedule", hidden))
    assert run.has("mandatory", "cronjob-unambiguous")
    assert "hunter2" not in run.output


def test_a_configuration_that_loosens_is_refused_in_one_line(analyze: Analyze) -> None:
    run = analyze(good_stack(), {"bucket-retention": {"days": 29}})
    assert run.code != 0
    lines = [line for line in run.output.splitlines() if line.strip()]
    assert len(lines) == 1
    assert "bucket-retention: days: Must be greater than or equal to 30" in lines[0]


def test_the_configuration_of_production_protects_what_holds_data(analyze: Analyze) -> None:
    config: dict[str, Any] = json.loads((_ROOT / "policies" / "config" / "prod.json").read_text())
    # Its waivers are of its own resources, and this stack has none of them.
    del config["waivers"]
    assert analyze(good_stack().unprotected("redis"), config).has("mandatory", "stateful-protected")
    assert analyze(good_stack(), config).code == 0
