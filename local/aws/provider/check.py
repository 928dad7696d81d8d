"""What happens to inputs before anything is compared: refusals, a name, a region, the default tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from local.aws.provider.model import ResourceType
from local.aws.provider.values import Values


@dataclass(frozen=True)
class Defaults:
    """What the provider's configuration adds to each resource."""

    region: str
    tags: dict[str, str] = field(default_factory=dict[str, str])


def refusals(kind: ResourceType, given: Values) -> dict[str, str]:
    """The reason for each property that cannot be accepted; empty when all can."""
    found: dict[str, str] = {}
    for name in given:
        if name not in kind.properties and name != "tagsAll":
            known = ", ".join(sorted(kind.properties))
            found[name] = f"{kind.pulumi_type} has no {name} in the embedded AWS environment; it knows {known}"
    for name, rule in kind.properties.items():
        if rule.required and name not in given:
            found[name] = f"{kind.pulumi_type} needs {name}"
    return found


def completed(kind: ResourceType, logical: str, given: Values, old: Values, seed: bytes, defaults: Defaults) -> Values:
    """`given` in the form that is compared and sent: named, placed in a region and tagged."""
    inputs = {
        name: kind.properties[name].sent(value) for name, value in given.items() if name in kind.properties
    }  # fmt: skip
    if kind.regional:
        inputs.setdefault("region", defaults.region)
    if kind.tagged and (defaults.tags or "tags" in inputs):
        inputs["tags"] = _tags(inputs.get("tags"), defaults)
    _name(kind, logical, inputs, old, seed)
    return inputs


def _tags(given: Any, defaults: Defaults) -> Any:
    # Tags may be unknown as a whole until what they come from exists.
    return {**defaults.tags, **cast("dict[str, Any]", given)} if isinstance(given, dict) else given or defaults.tags


def _name(kind: ResourceType, logical: str, inputs: Values, old: Values, seed: bytes) -> None:
    naming = kind.naming
    if naming is None or naming.property in inputs:
        return
    prefix = inputs.get(naming.prefix_property) if naming.prefix_property else None
    same_prefix = prefix == (old.get(naming.prefix_property) if naming.prefix_property else None)
    kept = old.get(naming.property) if same_prefix else None
    inputs[naming.property] = kept or naming.name(logical, prefix, seed)
