"""What a rule of a Role allows, as the authorizer of the Kubernetes API server reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ALL: Final = "*"
# How a request without a name is written beside names.
NAMELESS: Final = '""'
# Users and groups that stand for every account, every person, or every client of the API server.
_EVERYBODY: Final = frozenset(
    {"system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"}
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks of the API server.

    A ``resource`` has its subresource behind a slash. ``name`` is empty where the request names no object: a list, or
    the creation of an object. ``cluster`` says that it belongs to no namespace. One for a ``url`` has no resource.
    """

    verb: str
    resource: str = ""
    group: str = ""
    name: str = ""
    cluster: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """Verbs on resources of API groups, or on URLs; ``names`` limits them to these objects."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def __str__(self) -> str:
        groups = "" if self.groups in ((), ("",)) else f" ({', '.join(group or 'core' for group in self.groups)})"
        names = f" named {', '.join(name or NAMELESS for name in self.names)}" if self.names else ""
        return f"{', '.join(self.verbs)} {', '.join((*self.resources, *self.urls))}{groups}{names}"

    @property
    def limited(self) -> bool:
        """Whether it reaches objects by their names alone: a request without a name matches the empty one."""
        return bool(self.names) and "" not in self.names

    def covers(self, resource: str, group: str) -> bool:
        """Whether it is about that resource. ``pods/*`` covers nothing but itself; ``*/scale`` every ``scale``."""
        _, slash, subresource = resource.partition("/")
        return _among(group, self.groups) and (
            _among(resource, self.resources) or (bool(slash) and f"*/{subresource}" in self.resources)
        )

    def allows(self, request: Request, *, everywhere: bool) -> bool:
        """Whether it allows a request. Only a ClusterRoleBinding gives a right ``everywhere``.

        A RoleBinding gives it inside its namespace: none on URLs, and none on what belongs to no namespace.
        """
        if not everywhere and (request.cluster or request.url):
            return False
        if not _among(request.verb, self.verbs):
            return False
        if request.url:
            return any(_fits(request.url, pattern) for pattern in self.urls)
        return self.covers(request.resource, request.group) and (not self.names or request.name in self.names)


def stands_for_many(name: str) -> bool:
    """Whether a user or group is every account, every person, or every client of the API server."""
    return name in _EVERYBODY or name.startswith("system:serviceaccounts:")


def _among(wanted: str, values: Iterable[str]) -> bool:
    return any(value in (wanted, ALL) for value in values)


def _fits(url: str, pattern: str) -> bool:
    return url == pattern or (pattern.endswith(ALL) and url.startswith(pattern.rstrip(ALL)))
