"""The JSON schema of a stack's file, for editors: unknown keys, wrong types and what each setting means, while typing.

Made from the models that the program itself reads (runbook/settings/) and from Pulumi.yaml, so that a new setting
appears by itself. It checks a shape; what values mean together, such as a request above its limit, the program checks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from local.pulumi_cli import PROJECT_ROOT
from local.stack_files import PREFIX, declared
from runbook import services
from runbook.settings import IMAGE_NAMES, Settings

FILE: Final = PROJECT_ROOT / "docs" / "config.schema.json"

Schema = dict[str, Any]

# The newest draft that the YAML language server reads in full. It knows no keywords beside a `$ref`.
_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_REFERENCE: Final = "#/definitions/"
_OVERRIDE: Final = "ServiceOverride"
# What else Pulumi keeps in a stack's file.
_PULUMI_KEYS: Final = ("encryptionsalt", "encryptedkey", "secretsprovider")
# An embedded stack gets these from the file that `make up` writes (components.stack_config.with_environment).
FROM_ENVIRONMENT: Final = ("images", "kubeContext")
# Defaults of Pulumi.yaml that the program takes for "not set".
_NOTHING: Final[tuple[Any, ...]] = (None, "", {}, [])
_EMBEDDED: Final = f"{PREFIX}embedded"
# `pulumi config set` writes truth values as texts.
_FLAG: Final[Schema] = {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]}


def text() -> str:
    """The schema as the committed file has it."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> Schema:
    """The schema of a whole Pulumi.<stack>.yaml."""
    settings = Settings.model_json_schema(by_alias=True, ref_template=f"{_REFERENCE}{{model}}")
    definitions: Schema = {name: _tidy(node) for name, node in settings["$defs"].items()}
    about = declared()
    properties = {name: _tidy(node) for name, node in settings["properties"].items()}
    definitions[_OVERRIDE] = _partial(properties["services"]["additionalProperties"], definitions)
    properties["services"] = _services()
    properties["images"] = {
        "type": "object",
        "properties": {name: {"type": "string", "minLength": 1} for name in IMAGE_NAMES},
        "required": list(IMAGE_NAMES),
        "additionalProperties": False,
    }
    for name, said in about.items():
        properties[name] = _described(properties.get(name) or {"type": said["type"]}, said)
    required = [name for name in settings["required"] if about.get(name, {}).get("default") in _NOTHING]
    return {
        "$schema": _DRAFT,
        "title": "Stack of the crypto project: Pulumi.<stack>.yaml",
        "type": "object",
        "properties": {"config": _config(properties, required), **{key: {"type": "string"} for key in _PULUMI_KEYS}},
        "required": ["config"],
        "additionalProperties": False,
        "definitions": definitions,
    }


def _config(properties: Mapping[str, Schema], required: list[str]) -> Schema:
    always = [PREFIX + name for name in required if name not in FROM_ENVIRONMENT]
    by_itself = [PREFIX + name for name in required if name in FROM_ENVIRONMENT]
    return {
        "type": "object",
        "properties": {PREFIX + name: node for name, node in properties.items()},
        # Settings of Pulumi itself and of providers have other prefixes and are theirs to check.
        "patternProperties": {f"^(?!{PREFIX})[^:]+:.+$": {}},
        "additionalProperties": False,
        "required": always,
        "if": {"properties": {_EMBEDDED: {"enum": [True, "true"]}}, "required": [_EMBEDDED]},
        "else": {"required": by_itself},
    }


def _services() -> Schema:
    """By service, what differs from the runbook."""
    properties = {spec.name: {"$ref": _REFERENCE + _OVERRIDE} for spec in services.ALL}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _partial(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A model of which any part may be left out, with the models inside it."""
    if "$ref" in node:
        return _partial(definitions[node["$ref"].removeprefix(_REFERENCE)], definitions)
    made = {key: value for key, value in node.items() if key != "required"}
    if "properties" in made:
        made["properties"] = {name: _partial(child, definitions) for name, child in made["properties"].items()}
    return made


def _tidy(node: Schema) -> Schema:
    """A schema without the titles that only repeat its name, and with nothing beside a ``$ref``."""
    made = {key: _tidied(key, value) for key, value in node.items() if key != "title"}
    if "description" in made:
        made["description"] = " ".join(str(made["description"]).replace("``", "`").split())
    if "$ref" in made and len(made) > 1:
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    return made


def _tidied(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: _tidy(node) for name, node in value.items()}
    if key in ("anyOf", "allOf", "oneOf"):
        return [_tidy(node) for node in value]
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return _tidy(cast("Schema", value))
    return value


def _described(node: Schema, said: Mapping[str, Any]) -> Schema:
    """A key's schema with what Pulumi.yaml says of it, which is written for those who set it."""
    made = {**node, "description": said["description"]}
    if made.get("type") == "boolean":
        made = {**_FLAG, **{key: value for key, value in made.items() if key != "type"}}
    if "$ref" in made:
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    return made
