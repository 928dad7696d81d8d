"""What the provider knows of a resource type, and the comparison that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from local.aws.provider.values import UNKNOWN, Values, has_unknown

if TYPE_CHECKING:
    from local.aws.provider.clients import Clients

_NAME_SUFFIX_HEX_DIGITS = 7


def same(value: Any) -> Any:
    """The normal form of a value that has only one spelling."""
    return value


@dataclass(frozen=True)
class Property:
    """One input of a resource type."""

    default: Any = None
    """What leaving it out means; a value that AWS would show as this is not drift."""
    decided_by_aws: bool = False
    """Leaving it out accepts whatever AWS chose."""
    replaces: bool = False
    """AWS cannot change it in place."""
    required: bool = False
    readable: bool = True
    """False for what only the provider knows, such as how to delete."""
    normal: Callable[[Any], Any] = same
    """Two values mean the same when their normal forms are equal."""
    sent: Callable[[Any], Any] = same
    """The form in which the value is kept and sent to AWS."""


@dataclass(frozen=True)
class Naming:
    """How a resource gets a name that its program left out: ``<prefix><logical name>-<7 hex digits>``."""

    property: str
    limit: int
    prefix_property: str | None = None
    prefix: str = ""
    lower: bool = False

    def name(self, logical: str, given_prefix: str | None, seed: bytes) -> str:
        """A name of at most `limit` characters, the same for the same arguments."""
        suffix = seed.hex()[:_NAME_SUFFIX_HEX_DIGITS].ljust(_NAME_SUFFIX_HEX_DIGITS, "0")
        stem = given_prefix if given_prefix is not None else f"{self.prefix}{logical}-"
        name = stem[: self.limit - len(suffix)] + suffix
        return name.lower() if self.lower else name


class ResourceType(ABC):
    """One resource type: its inputs, its outputs and the calls that make, show, change and remove it."""

    pulumi_type: ClassVar[str]
    """Its type token in the SDK."""
    properties: ClassVar[Mapping[str, Property]]
    computed: ClassVar[tuple[str, ...]] = ()
    """The outputs that are no inputs."""
    identity: ClassVar[tuple[str, ...]] = ()
    """The inputs under which AWS knows it: while they stay the same, two of them cannot exist at once."""
    naming: ClassVar[Naming | None] = None

    @property
    def tagged(self) -> bool:
        return "tags" in self.properties

    @property
    def regional(self) -> bool:
        return "region" in self.properties

    @abstractmethod
    def create(self, clients: Clients, inputs: Values) -> str:
        """Make it and return its id."""

    @abstractmethod
    def read(self, clients: Clients, resource_id: str, known: Values) -> Values | None:
        """Its live properties, or None when it does not exist; `known` is the saved state, empty for an import."""

    @abstractmethod
    def update(self, clients: Clients, resource_id: str, new: Values, changed: Collection[str]) -> None:
        """Bring the properties in `changed` to the values in `new`."""

    @abstractmethod
    def delete(self, clients: Clients, resource_id: str, state: Values) -> None:
        """Remove it; one that is gone already is no error."""


@dataclass(frozen=True)
class Change:
    """One input that differs: `replaces` when AWS cannot change it in place."""

    name: str
    added: bool
    removed: bool
    replaces: bool


def changes(kind: ResourceType, state: Values, new: Values) -> list[Change]:
    """The inputs in `new` that differ from the saved `state`; an unknown one counts as different."""
    found: list[Change] = []
    for name, rule in kind.properties.items():
        if name not in new and rule.decided_by_aws:
            continue
        if has_unknown(new.get(name)) or not alike(rule, state.get(name), new.get(name)):
            added, removed = state.get(name) is None, name not in new
            found.append(Change(name, added=added, removed=removed, replaces=rule.replaces))
    return found


def names_collide(kind: ResourceType, state: Values, new: Values) -> bool:
    """Whether a replacement would have to bear the name of what it replaces."""
    return bool(kind.identity) and all(
        not has_unknown(new.get(name)) and alike(kind.properties[name], state.get(name), new.get(name))
        for name in kind.identity
    )


def alike(rule: Property, left: Any, right: Any) -> bool:
    """Whether two values of one property mean the same."""
    return rule.normal(_or_default(rule, left)) == rule.normal(_or_default(rule, right))


def outputs(kind: ResourceType, inputs: Values, live: Values) -> Values:
    """The state to save: the live properties, in the spelling of `inputs` where both mean the same."""
    state = {name: live[name] for name in kind.computed if name in live}
    for name, rule in kind.properties.items():
        given, found = inputs.get(name), live.get(name)
        if not rule.readable:
            found = _or_default(rule, given)
        elif given is not None and alike(rule, given, found):
            found = given
        state[name] = found
    if kind.tagged:
        state["tagsAll"] = live.get("tags") or {}
    return {name: value for name, value in state.items() if value is not None}


def inputs_of(kind: ResourceType, inputs: Values, state: Values) -> Values:
    """The inputs that would lead to `state`: those given, drift included, or for an import all that matter."""
    found: Values = {}
    for name, rule in kind.properties.items():
        value = state.get(name)
        wanted = name in inputs or not (rule.decided_by_aws or alike(rule, value, None))
        if value is not None and wanted:
            found[name] = value
    return found


def foreseen(kind: ResourceType, inputs: Values, state: Values | None = None) -> Values:
    """What a preview can say of the outputs: the inputs, what was there before, and else that it is unknown."""
    unknown = dict.fromkeys((*kind.computed, *(n for n, p in kind.properties.items() if p.decided_by_aws)), UNKNOWN)
    seen: Values = {**(unknown if state is None else state), **inputs}
    if kind.tagged:
        seen["tagsAll"] = inputs.get("tags") or {}
    return seen


def _or_default(rule: Property, value: Any) -> Any:
    return rule.default if value is None else value
