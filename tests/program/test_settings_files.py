"""The stacks' files, and the project file that says what may stand in them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from local.config_schema import FROM_ENVIRONMENT
from local.stack_files import declared
from runbook.settings import Settings
from tests.program.settings import stack_values

_EMBEDDED = "embedded"
_SCHEMA = Settings.model_json_schema(by_alias=True)
_FIELDS = {field.alias or name: field for name, field in Settings.model_fields.items()}


def _types(node: dict[str, Any]) -> set[str]:
    """The types of JSON that a setting may have; one that may be left out is null in the model."""
    if "$ref" in node:
        node = _SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    return {node["type"]} if "type" in node else set[str]().union(*map(_types, node["anyOf"])) - {"null"}


@pytest.mark.parametrize("name", ["local", "prod"])
def test_every_key_of_a_stack_file_is_explained_in_the_project_file(name: str) -> None:
    assert set(stack_values(name)) <= set(declared())


def test_the_project_file_explains_the_settings_of_the_model_and_no_others() -> None:
    assert set(declared()) == {*_FIELDS, _EMBEDDED}
    assert not [key for key, said in declared().items() if not said.get("description")]


@pytest.mark.parametrize("key", _FIELDS)
def test_the_project_file_says_the_type_of_the_model(key: str) -> None:
    assert _types(_SCHEMA["properties"][key]) == {declared()[key]["type"]}


@pytest.mark.parametrize("key", _FIELDS)
def test_the_project_file_says_the_default_of_the_model(key: str) -> None:
    field, said = _FIELDS[key], declared()[key]
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        # An embedded stack gets some from its environment: to the engine these may be left out.
        assert said.get("default") in (("", {}) if key in FROM_ENVIRONMENT else (None,))
    elif said["type"] == "object":
        assert said["default"] == {}
    else:
        assert said["default"] == ("" if default is None else default)
