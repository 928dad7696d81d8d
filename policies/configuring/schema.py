"""The JSON schema of a stack's configuration of the pack: it refuses whatever would loosen a rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from policies.configuring.configuration import ALL_KEY, LEVEL_KEY, WAIVERS_KEY, WAIVERS_PARAMETER
from policies.configuring.levels import Enforcement, levels_of
from policies.model import Meta, Rule

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def parameters_schema(meta: Meta) -> dict[str, dict[str, object]]:
    """The schema of each of a rule's parameters, with its default."""
    return {each.name: {**each.schema, "default": each.default} for each in meta.parameters}


def schema(rules: Iterable[Rule]) -> dict[str, Any]:
    """The schema of the whole file, for editors, for ``crypto-policy`` and for the tests of the committed files."""
    metas = [rule.meta for rule in rules]
    waivers = {
        "type": "object",
        "description": "The waivers of this stack.",
        "properties": {WAIVERS_PARAMETER: {"type": "string", "description": "A file, by the pack's folder."}},
        "required": [WAIVERS_PARAMETER],
        "additionalProperties": False,
    }
    # A word for all rules also meets those that nobody is excused from, so it can only be as strict as they are.
    strictest = [level.value for level in Enforcement if all(level in levels_of(meta) for meta in metas)]
    whole = {"enum": strictest, "description": "The level of every rule that has none of its own here."}
    return {
        "$schema": DIALECT,
        "title": "Configuration of the policy pack for one stack",
        "type": "object",
        "properties": {
            ALL_KEY: whole,
            WAIVERS_KEY: waivers,
            **{meta.name: _of_rule(meta) for meta in metas},
        },
        "additionalProperties": False,
    }


def _of_rule(meta: Meta) -> dict[str, Any]:
    level = {"enum": [each.value for each in levels_of(meta)]}
    properties = {LEVEL_KEY: level, **parameters_schema(meta)}
    settings = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"description": meta.description, "anyOf": [level, settings]}
