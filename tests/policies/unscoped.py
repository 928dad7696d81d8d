"""The actions of AWS that take no resource but ``*``, from the copy of the Service Authorization Reference in cfn-lint.

``python -m tests.policies.unscoped`` writes them anew.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any, Final

import policies.statements

PLACE: Final = Path(policies.statements.__file__).with_name("unscoped_actions.txt")
_HEAD: Final = """\
# Actions that take no resource but "*", by service, from AWS' Service Authorization Reference; "describe*" where at
# least three quarters of the actions of that verb do. Written by `python -m tests.policies.unscoped`.
"""
_VERBS: Final = ("batchget", "check", "describe", "get", "list", "lookup", "put", "search", "select", "view")


def reference() -> dict[str, dict[str, Any]]:
    """Actions by service, each with the types of resources that it takes."""
    text = (resources.files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text()
    return {service: found["Actions"] for service, found in json.loads(text).items()}


def written() -> str:
    """The file as it has to be."""
    lines = ((service, _names(actions)) for service, actions in sorted(reference().items()))
    return _HEAD + "".join(f"{service}: {' '.join(names)}\n" for service, names in lines if names)


def _names(actions: dict[str, Any]) -> list[str]:
    alone = {name for name, action in actions.items() if not action.get("Resources")}
    verbs = {f"{verb}*" for verb in _VERBS if _nearly_all(verb, [*actions], alone)}
    return sorted(alone | verbs)


def _nearly_all(verb: str, names: list[str], alone: set[str]) -> bool:
    of_verb = [name for name in names if name.startswith(verb)]
    return len(of_verb) > 1 and 4 * len(alone.intersection(of_verb)) >= 3 * len(of_verb)


if __name__ == "__main__":
    PLACE.write_text(written(), "ascii")
