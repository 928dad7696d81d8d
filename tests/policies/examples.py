"""The examples of the printed policies, put where they belong in the good stack."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any, Final, cast

import yaml

from tests.policies.stack import Declared, Path, Stack, steps

# A new resource of the stack: what it takes for an example that is one by itself.
_ADDED: Final = "added"


def put(stack: Stack, place: tuple[str, Path, str], example: str) -> Stack:
    """A copy of the stack with an example in it: whose resource, the path of a map or text there, and how.

    ``merge`` adds the example's keys to the map, ``instead`` sets the innermost map that it names, ``keys`` sets its
    outermost keys. ``line`` adds it to a text, ``json`` merges it into one, ``statement`` adds it to a document of AWS.
    ``unprotected`` and ``added`` stand for an example that is no property: the resource option, and a whole resource.
    """
    name, path, how = place
    if how == "unprotected":
        return stack if "protect=True" in example else stack.unprotected(name)
    if how == _ADDED:
        return Stack({**stack, _ADDED: Declared(name, _ADDED, yaml.safe_load(example))})
    properties: dict[str, Any] = copy.deepcopy(stack[name].properties)
    above: Any = {"": properties}
    key: Any = ""
    for step in steps(path) if path else []:
        above, key = above[key], step
    above[key] = _changed(above[key], example, how)
    return Stack({**stack, name: replace(stack[name], properties=properties)})


def _changed(there: Any, example: str, how: str) -> Any:
    if how == "line":
        return f"{there}\n{example}"
    told = yaml.safe_load(example)
    if how == "statement":
        return json.dumps({"Version": "2012-10-17", "Statement": [told]})
    if how == "json":
        return json.dumps(_merged(json.loads(there), told, "merge"))
    return _merged(there, told, how)


def _merged(target: dict[str, Any], source: dict[str, Any], how: str) -> dict[str, Any]:
    for key, value in source.items():
        both = isinstance(value, dict) and isinstance(target.get(key), dict)
        inner = cast("dict[str, Any]", value) if both else None
        deeper = inner is not None and any(isinstance(each, dict) for each in inner.values())
        if inner is not None and (how == "merge" or (how == "instead" and deeper)):
            _merged(target[key], inner, how)
        else:
            target[key] = value
    return target
