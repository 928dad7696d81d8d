"""A stack's configuration of the pack: it tightens, or changes a level where the rule admits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from policies.catalogue import ALL
from policies.configuring.configuration import ConfigurationError
from policies.configuring.levels import Enforcement
from policies.configuring.reading import read
from policies.configuring.schema import schema
from policies.model import Meta, ResourceRule, Rule, Severity
from policies.pods import is_workload
from runbook.sections import Section

STRICT = Meta("strict", "Says.", Severity.HIGH, Section.NAMESPACE, "Mend it.", waivable=False)
RULES: tuple[Rule, ...] = (*ALL, ResourceRule(STRICT, is_workload, lambda _resource, _parameters: ()))


def given(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"bucket-retention": {"days": 29}}, "bucket-retention.days: 29 is less than the minimum of 30"),
        ({"bucket-retention": {"enforcementLevel": "advisory", "days": 29}}, "29 is less than"),
        ({"bucket-retention": {"day": 31}}, "'day' was unexpected"),
        ({"nobody": "advisory"}, "nobody: there is no such rule"),
        ({"probes": "loud"}, "probes: enforcementLevel is 'loud'; allowed: advisory, mandatory, remediate, disabled"),
        ({"strict": "advisory"}, "strict: enforcementLevel is 'advisory'; allowed: mandatory, remediate"),
        ({"strict": {"enforcementLevel": "disabled"}}, "strict: enforcementLevel is 'disabled'"),
        ({"all": "disabled"}, "enforcementLevel is 'disabled'; allowed: mandatory, remediate"),
        ({"probes": 3}, "probes: 3; allowed: a level"),
        ({"waivers": {}}, "'file' is a required property"),
        ([], "a list; allowed: an object"),
        ("null", "null; allowed: an object"),
        ("{", "not JSON"),
        ('{"a": ' * 5000, "not JSON"),
        ({"waivers": {"file": ""}}, 'waivers: allowed: {"file": "path of a YAML file"}'),
        ('{"probes": "advisory",\n"probes": "disabled"}', "probes is given twice, in lines 1 and 2; remove one of"),
        ('{\n\t"bucket-retention": {\n\t\t"days": 60, "days": 30}}', "days is given twice, in lines 3 and 3"),
    ],
)
def test_what_would_loosen_or_means_nothing_is_refused_in_one_line(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(given(tmp_path, content), RULES)
    text = str(caught.value)
    assert said in text
    assert text.startswith(str(tmp_path / "config.json"))
    assert len(text.splitlines()) == 1


def test_levels_and_parameters_are_taken(tmp_path: Path) -> None:
    content = {"all": "mandatory", "probes": "advisory", "bucket-retention": {"days": 60}, "waivers": {"file": "w"}}
    found = read(given(tmp_path, content), RULES)
    assert found.level(STRICT) is Enforcement.MANDATORY
    assert [rule.meta.name for rule in ALL if found.level(rule.meta) is Enforcement.ADVISORY] == ["probes"]
    assert found.parameters["bucket-retention"] == {"days": 60}
    assert found.waivers is not None
    assert found.waivers.name == "w"


def test_a_rule_that_is_off_does_not_run(tmp_path: Path) -> None:
    found = read(given(tmp_path, {"probes": "disabled"}), RULES)
    assert {rule.meta.name for rule in RULES} - {rule.meta.name for rule in found.enabled(RULES)} == {"probes"}


def test_the_schema_is_one_and_refuses_the_same() -> None:
    whole = schema(RULES)
    jsonschema.Draft202012Validator.check_schema(whole)
    validator: Any = jsonschema.Draft202012Validator(whole)
    assert validator.is_valid({"probes": "advisory", "strict": "mandatory", "waivers": {"file": "w"}})
    loose: list[dict[str, Any]] = [
        {"strict": "advisory"},
        {"all": "disabled"},
        {"bucket-retention": {"days": 29}},
        {"nobody": {}},
    ]
    for wrong in loose:
        assert not validator.is_valid(wrong)


def test_what_is_committed_fits_the_schema() -> None:
    files = sorted((Path(__file__).resolve().parents[2] / "policies" / "config").glob("*.json"))
    assert files
    for file in files:
        jsonschema.validate(json.loads(file.read_text()), schema(ALL))
        assert read(file, ALL).parameters
