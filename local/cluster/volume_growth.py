"""Grows volumes of the StorageClass `standard`: a claim that asks for more than its volume has gets it at once.

A folder has no size of its own and nothing enforces one here, so growing is what the API server is told. Elsewhere
the storage's resizer does it; whoever asks sees the same fields change in the same order.
"""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from runbook import units
from scripts.clients.kubernetes import Cluster, NotFoundError, Object

_VOLUMES = "/api/v1/persistentvolumes"


def wanted_size(claim: Object) -> str | None:
    """The size of a bound claim that has less than it asks for, or None."""
    asked = cast("str", claim["spec"]["resources"]["requests"]["storage"])
    has = cast("dict[str, str]", claim.get("status", {}).get("capacity", {})).get("storage")
    if claim.get("status", {}).get("phase") != "Bound" or has is None or "deletionTimestamp" in claim["metadata"]:
        return None
    return asked if units.to_bytes(asked) > units.to_bytes(has) else None


def grow(api: Cluster, claim: Object, size: str) -> None:
    """Gives a claim's volume the size, and then tells the claim. Raises OpsError; the next pass tries again."""
    space, name = claim["metadata"]["namespace"], claim["metadata"]["name"]
    capacity = {"capacity": {"storage": size}}
    # One that is gone in the meantime needs no room.
    with suppress(NotFoundError):
        api.patch(f"{_VOLUMES}/{claim['spec']['volumeName']}", {"spec": capacity})
        api.patch(f"/api/v1/namespaces/{space}/persistentvolumeclaims/{name}/status", {"status": capacity})
        print(f"grew {space}/{name} to {size}", flush=True)
