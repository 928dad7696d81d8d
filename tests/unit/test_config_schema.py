"""The schema by which editors check the stacks' files: current, whole, and as strict as the program about keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import jsonschema
import pytest
import yaml

from local import config_schema
from local.pulumi_cli import PROJECT_ROOT, known_stacks
from local.stack_files import declared
from runbook.settings import Settings

_STACKS = known_stacks()


def _stack(name: str) -> dict[str, Any]:
    return yaml.safe_load((PROJECT_ROOT / f"Pulumi.{name}.yaml").read_text())


def _wrong(document: dict[str, Any]) -> list[str]:
    validator: Any = jsonschema.Draft7Validator(json.loads(config_schema.FILE.read_text()))
    errors = sorted(validator.iter_errors(document), key=lambda error: error.json_path)
    return [f"{error.json_path}: {error.message}" for error in errors]


def _changed(stack: str = "prod", without: str = "", **changes: Any) -> dict[str, Any]:
    document = _stack(stack)
    document["config"].update({f"crypto:{key}": value for key, value in changes.items()})
    document["config"].pop(f"crypto:{without}", None)
    return document


def test_the_committed_schema_is_current() -> None:
    assert config_schema.FILE.read_text() == config_schema.text(), "run `make config-schema`"


def test_it_is_a_schema_of_the_draft_that_it_names() -> None:
    schema = json.loads(config_schema.FILE.read_text())
    assert schema["$schema"] == jsonschema.Draft7Validator.META_SCHEMA["$schema"]
    jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("stack", _STACKS)
def test_a_committed_stack_file_fits_and_tells_editors_of_it(stack: str) -> None:
    assert _wrong(_stack(stack)) == []
    first = (PROJECT_ROOT / f"Pulumi.{stack}.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={config_schema.FILE.relative_to(PROJECT_ROOT)}"


def test_every_setting_is_in_it_with_what_it_means() -> None:
    known = config_schema.schema()["properties"]["config"]["properties"]
    fields = {field.alias for field in Settings.model_fields.values()}
    assert len(fields) > 10
    assert {key.removeprefix("crypto:") for key in known} == fields | set(declared())
    assert {key: node["description"] for key, node in known.items()} == {
        f"crypto:{key}": said["description"] for key, said in declared().items()
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"domian": "x"}, "'crypto:domian' does not match any of the regexes"),
        ({"services": {"sentimnt": {}}}, "'sentimnt' was unexpected"),
        ({"services": {"sentiment": {"replica": 1}}}, "'replica' was unexpected"),
        ({"services": {"sentiment": {"resources": {"memory": "1Gi"}}}}, "'memory' was unexpected"),
        ({"services": {"sentiment": {"replicasNormal": "2"}}}, "'2' is not of type 'integer'"),
        ({"kafka": {"brokers": 0}}, "0 is less than the minimum of 1"),
        ({"backup": {"bucket": "Not A Bucket"}}, "'Not A Bucket' does not match"),
        ({"images": {"ops": "x"}}, "'postgres' is a required property"),
        ({"protect": "perhaps"}, "'perhaps' is not valid under any of the given schemas"),
    ],
)
def test_what_the_program_would_refuse_is_flagged(changes: dict[str, Any], words: str) -> None:
    assert words in "\n".join(_wrong(_changed(**changes)))


@pytest.mark.parametrize("key", ["domain", "environmentName", "backup", "aws", "images", "kubeContext"])
def test_a_missing_setting_is_flagged(key: str) -> None:
    assert _wrong(_changed(without=key)) == [f"$.config: 'crypto:{key}' is a required property"]


@pytest.mark.parametrize("key", ["owner", "namespace", "timeZone", "services"])
def test_a_setting_with_a_default_may_be_left_out(key: str) -> None:
    assert _wrong(_changed(without=key)) == []


@pytest.mark.parametrize("embedded", [True, "true"])
def test_an_embedded_stack_needs_neither_images_nor_a_context(embedded: object) -> None:
    assert _wrong(_changed("local", embedded=embedded)) == []
    assert len(_wrong(_changed("local", embedded=False))) == 2


@pytest.mark.parametrize("services", [{"sentiment": {}}, {"sentiment": {"resources": {"cpuRequest": "1"}}}, {}])
def test_of_a_service_only_what_differs_is_said(services: dict[str, Any]) -> None:
    assert _wrong(_changed(services=services)) == []


def test_truth_values_may_be_texts_as_the_engine_writes_them() -> None:
    assert _wrong(_changed(protect="false")) == []


def test_what_belongs_to_pulumi_and_to_providers_is_let_through() -> None:
    document = _stack("prod")
    document["config"]["pulumi:disable-default-providers"] = ["*"]
    document["config"]["aws:region"] = "eu-central-1"
    document |= {"secretsprovider": "awskms://alias/x", "encryptedkey": "x", "encryptionsalt": "v1:x"}
    assert _wrong(document) == []
    assert _wrong(document | {"cofig": {}}) == ["$: Additional properties are not allowed ('cofig' was unexpected)"]
    document["config"]["domain"] = "without the project's prefix"
    assert len(_wrong(document)) == 1


def _numbers(node: Any, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Where the schema asks for a number, and how."""
    if isinstance(node, list):
        node = dict(enumerate(cast("list[Any]", node)))
    if isinstance(node, dict):
        known = cast("dict[Any, Any]", node)
        if known.get("type") in ("integer", "number"):
            yield path, known
        for key, child in known.items():
            yield from _numbers(child, f"{path}.{key}")


def test_editors_know_both_bounds_of_every_number() -> None:
    numbers = dict(_numbers(config_schema.schema()))

    assert len(numbers) > 20
    assert [path for path, node in numbers.items() if not {"minimum", "maximum"} <= node.keys()] == []
