"""The Ingress leads to the page, and back: only the backends change, hosts and certificates stay (defect 17).

The page's rules belong to a field manager of their own. A deployment that changes nothing of the Ingress leaves them;
one that would is refused by the API server, which names that manager: nobody's change is lost in silence. The rules
from before stand on the Ingress itself, written by the same request, and go back under the manager from which the
stack's next deployment takes them over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, cast

from runbook import maintenance as names
from scripts.clients.kubernetes import Cluster, NotFoundError
from scripts.exits import CheckFailedError, UsageError

# The name under which the stack's provider wrote before it had server-side apply; it takes over what that name owns.
_HANDED_BACK: Final = "pulumi-kubernetes"
# For a page that nobody asks for.
LOOK_AGAIN: Final = "run `pulumi up --refresh`, which compares with the cluster and not with what was recorded"


@dataclass(frozen=True, slots=True)
class Door:
    """The Ingress as it was read: its rules now and, while ``ops`` shows the page, those from before."""

    version: str
    rules: list[Any]
    before: list[Any] | None

    @property
    def shows_page(self) -> bool:
        """Whether every path leads to the page."""
        found = [_service(path) for path in _paths(self.rules)]
        return bool(found) and set(found) == {names.PAGE}


def read(cluster: Cluster, namespace: str) -> Door:
    """The Ingress.

    Raises:
        UsageError: there is none.
        CheckFailedError: what was noted on it cannot be read.
    """
    try:
        found = cluster.get(_path(namespace))
    except NotFoundError:
        raise UsageError(f"there is no Ingress {names.INGRESS} in the namespace {namespace}: run `pulumi up`") from None
    metadata: Any = found["metadata"]
    rules: list[Any] = found["spec"].get("rules") or []
    notes: Any = metadata.get("annotations") or {}
    noted = notes.get(names.BEFORE)
    return Door(metadata["resourceVersion"], rules, None if noted is None else _noted(noted))


def show(cluster: Cluster, namespace: str, door: Door, *, dry_run: bool = False) -> bool:
    """Lead users to the page; whether that changed anything."""
    if door.shows_page:
        return False
    if not any(True for _ in _paths(door.rules)):
        raise UsageError(f"the Ingress {names.INGRESS} has no path that could lead to the page: run `pulumi up`")
    noted = {names.BEFORE: json.dumps(door.rules, separators=(",", ":"), sort_keys=True)}
    body = _body(namespace) | {"spec": {"rules": _to_page(door.rules)}}
    body["metadata"] |= {"resourceVersion": door.version, "annotations": noted}
    cluster.apply(_path(namespace), body, manager=names.MANAGER, dry_run=dry_run)
    return True


def hide(cluster: Cluster, namespace: str, door: Door, *, declared: bool, dry_run: bool = False) -> bool:
    """Lead users to where they went before; whether that changed anything. A page that the stack declares stays.

    Raises:
        CheckFailedError: nothing says where they went before.
    """
    if door.before is None:
        if door.shows_page and not declared:
            raise CheckFailedError(
                f"the Ingress {names.INGRESS} leads to the page, and nothing says where it led before: {LOOK_AGAIN}"
            )
        return False
    if declared or not door.shows_page:
        # Only the note and the claim go: the rules are the stack's, or somebody else's.
        cluster.apply(_path(namespace), _body(namespace), manager=names.MANAGER, dry_run=dry_run)
        return True
    metadata = {"resourceVersion": door.version, "annotations": {names.BEFORE: None}}
    change = {"metadata": metadata, "spec": {"rules": door.before}}
    cluster.patch(_path(namespace), change, manager=_HANDED_BACK, dry_run=dry_run)
    return True


def _path(namespace: str) -> str:
    return f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{names.INGRESS}"


def _body(namespace: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": names.INGRESS, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata}


def _paths(rules: list[Any]) -> list[Any]:
    nothing: Any = {}
    return [path for rule in rules for path in (rule.get("http") or nothing).get("paths") or ()]


def _service(path: Any) -> str:
    nothing: Any = {}
    return str((path["backend"].get("service") or nothing).get("name"))


def _to_page(rules: list[Any]) -> list[Any]:
    changed = cast("list[Any]", json.loads(json.dumps(rules)))
    for path in _paths(changed):
        path["backend"] = {"service": {"name": names.PAGE, "port": {"number": names.PAGE_PORT}}}
    return changed


def _noted(text: str) -> list[Any]:
    try:
        found: object = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not found:
        raise CheckFailedError(
            f"the Ingress {names.INGRESS} has {names.BEFORE}={text!r}, which this program never writes; remove it and"
            " run `pulumi up`"
        )
    return cast("list[Any]", found)
