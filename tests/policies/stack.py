"""A good stack as plain data: every rule finds something in it, and nothing to complain about.

Tests change one thing in a copy and see exactly one rule speak.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, TypeAlias

from policies.model import Resource
from policies.plain import Plain, to_plain

PROJECT = "urn:pulumi:test::crypto::"
NAMESPACE = "crypto"


@dataclass(frozen=True, eq=False)
class Declared:
    """A resource as the engine shows it: ``links`` name other resources by their names.

    Stacks share their resources: a change makes a new one.
    """

    type: str
    name: str
    properties: dict[str, Any]
    protect: bool = False
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def urn(self) -> str:
        return f"{PROJECT}{self.type}::{self.name}"

    def plain(self, stack: Stack) -> Resource:
        """As the rules see it."""
        links = {key: tuple(stack[name].urn for name in names) for key, names in self.links.items()}
        return Resource(self.type, self.name, self.urn, self._plain, self.protect, links)

    @cached_property
    def _plain(self) -> dict[str, Plain]:
        properties = to_plain(self.properties)
        assert isinstance(properties, dict)
        return properties


# Keys and list positions: joined by dots, or one by one where a key has a dot itself.
Path: TypeAlias = "str | tuple[str | int, ...]"
# A resource, a path in it and the value there; None leaves out what is there. Without a path the resource itself is
# left out, or added where the value is one.
Change: TypeAlias = tuple[str, Path, object]


# Stands for the resource option in a change, which takes it away.
PROTECTED = "@protect"
# Stands for a resource in a change of the pack's configuration.
CONFIG = "@config"


def steps(path: Path) -> list[str | int]:
    """The keys and positions of a path."""
    return [int(key) if key.isdigit() else key for key in path.split(".")] if isinstance(path, str) else list(path)


class Stack(dict[str, Declared]):
    """Resources by name."""

    def resources(self) -> list[Resource]:
        return [declared.plain(self) for declared in self.values()]

    def with_value(self, name: str, path: Path, value: object) -> Stack:
        """A copy with ``value`` at ``path`` of one resource; maps on the way are made."""
        *way, last = steps(path)
        properties, place = _opened(self[name].properties, way, make=True)
        place[last] = value
        return Stack({**self, name: replace(self[name], properties=properties)})

    def without(self, name: str, path: Path = "") -> Stack:
        """A copy without one resource, or without the value at ``path`` of it."""
        if not path:
            return Stack({key: declared for key, declared in self.items() if key != name})
        *way, last = steps(path)
        properties, place = _opened(self[name].properties, way, make=False)
        if isinstance(last, int) or last in place:
            del place[last]
        return Stack({**self, name: replace(self[name], properties=properties)})

    def changed(self, *changes: Change) -> Stack:
        """A copy with these changes."""
        stack = self
        for name, path, value in changes:
            if name == CONFIG:
                continue
            if isinstance(value, Declared):
                stack = Stack({**stack, name: value})
                continue
            if path == PROTECTED:
                stack = stack.unprotected(name)
                continue
            stack = stack.without(name, path) if value is None else stack.with_value(name, path, value)
        return stack

    def with_links(self, name: str, **links: tuple[str, ...]) -> Stack:
        """A copy in which properties of one resource were computed from others."""
        return Stack({**self, name: replace(self[name], links=links)})

    def unprotected(self, name: str) -> Stack:
        """A copy in which one resource is not protected."""
        return Stack({**self, name: replace(self[name], protect=False)})


def _opened(properties: dict[str, Any], way: list[str | int], *, make: bool) -> tuple[dict[str, Any], Any]:
    """Properties whose maps and lists on a way are copies, the rest shared; and the innermost of these."""
    opened: Any = {**properties}
    place = opened
    for key in way:
        place[key] = copy.copy(place.get(key, {}) if make and isinstance(key, str) else place[key])
        place = place[key]
    return opened, place


@cache
def good_stack() -> Stack:
    """The good stack."""
    from tests.policies import stack_parts

    return Stack({resource.name: resource for resource in stack_parts.everything()})
