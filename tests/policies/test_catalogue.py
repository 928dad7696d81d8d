"""What holds for all rules together: names, texts, configuration, and how light they are to load."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from policies.catalogue import ALL, BY_NAME
from policies.configuring.schema import schema
from policies.model import Level, Meta, Severity
from runbook import escalation, thresholds
from runbook.sections import RUNBOOK_PAGE

CONFIG = Path(__file__).resolve().parents[2] / "policies" / "config"
PARAMETERS = [(rule.meta, parameter) for rule in ALL for parameter in rule.meta.parameters]


def schema_of(meta: Meta) -> dict[str, Any]:
    """The schema by which the engine checks a rule's configuration."""
    properties = {parameter.name: dict(parameter.schema) for parameter in meta.parameters}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def test_names_are_unique_kebab_case_and_texts_are_whole_sentences() -> None:
    assert len(BY_NAME) == len(ALL) >= 60
    for meta in (rule.meta for rule in ALL):
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", meta.name), meta.name
        assert (meta.level is Level.ADVISORY) is (meta.name == "kind-judged")
        for text in (meta.description, meta.remediation):
            assert re.fullmatch(r"[A-Z].*\.", text), text


def test_every_section_that_a_rule_names_is_printed() -> None:
    printed = (CONFIG.parents[1] / RUNBOOK_PAGE).read_text()
    anchors = {rule.meta.section.anchor for rule in ALL}
    assert len(anchors) > 15
    assert {anchor for anchor in anchors if f'id="{anchor}"' not in printed} == set()


def test_what_the_review_takes_a_waiver_for_is_what_the_policies_take_one_for() -> None:
    judging = {way.policy for way in escalation.WAYS} | {escalation.NAMESPACE_ADMIN, escalation.WHOLE_CLUSTER}
    assert judging <= set(BY_NAME)
    assert {name for name in judging if BY_NAME[name].meta.waivable} == escalation.WAIVABLE


def test_only_rules_of_security_hold_for_everybody() -> None:
    fixed = {rule.meta.name for rule in ALL if not rule.meta.waivable}
    assert len(fixed) >= 10
    assert {BY_NAME[name].meta.severity for name in fixed} <= {Severity.HIGH, Severity.CRITICAL}
    assert all(BY_NAME[name].meta.reference for name in fixed)


@pytest.mark.parametrize(("meta", "parameter"), PARAMETERS, ids=lambda part: part.name)
def test_a_default_is_within_its_own_schema(meta: Meta, parameter: Any) -> None:
    jsonschema.validate({parameter.name: parameter.default}, schema_of(meta))


@pytest.mark.parametrize(
    ("rule", "loosened"),
    [
        ("bucket-retention", {"days": thresholds.BACKUP_RETENTION.count - 1}),
        ("namespace", {"allowedNamespaces": ["default"]}),
        ("namespace", {"allowedNamespaces": ["kube-system"]}),
        ("image-pinned", {"registries": [""]}),
    ],
)
def test_configuration_cannot_loosen(rule: str, loosened: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(loosened, schema_of(BY_NAME[rule].meta))


def test_committed_configuration_names_rules_and_parameters_that_exist() -> None:
    files = sorted(CONFIG.glob("*.json"))
    assert files
    for file in files:
        jsonschema.validate(json.loads(file.read_text()), schema(ALL))


def test_the_rules_load_without_the_sdk() -> None:
    code = "import sys, policies.catalogue; print([m for m in ('pulumi', 'pydantic', 'boto3') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
