"""Which saved objects a restore applies, and where."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.backup.resources_content import Saved, applicable


def _saved(kind: str, plural: str, name: str = "x", version: str = "v1", **content: Any) -> Saved:
    metadata = {"name": name, "namespace": "crypto", **content.pop("metadata", {})}
    return Saved(plural, None, {"apiVersion": version, "kind": kind, "metadata": metadata, **content})


@pytest.mark.parametrize(("metadata", "applied"), [
    ({}, True),
    ({"labels": {"app": "x"}, "annotations": None}, True),
    ({"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}, False),
    ({"annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-11-30T20:00:00Z"}}, False),
])  # fmt: skip
def test_endpoints_of_a_service_without_a_selector_come_back(metadata: dict[str, Any], applied: bool) -> None:
    saved = _saved("Endpoints", "endpoints", metadata=metadata, subsets=[])
    assert (saved.skipped is None) is applied


def test_slices_come_back_where_no_controller_owns_them() -> None:
    version = "discovery.k8s.io/v1"
    assert _saved("EndpointSlice", "endpointslices", version=version).skipped is None
    slices = Saved("endpointslices", "Service", {"apiVersion": version, "kind": "EndpointSlice", "metadata": {}})
    assert slices.skipped == "a controller makes it anew"


@pytest.mark.parametrize(
    ("name", "written"), [("what?x=1", "what%3Fx%3D1"), ("sharp#1", "sharp%231"), ("a b", "a%20b")]
)
def test_a_name_of_any_characters_is_one_part_of_a_path(name: str, written: str) -> None:
    saved = _saved("Role", "roles", name, "rbac.authorization.k8s.io/v1")
    assert saved.path == f"/apis/rbac.authorization.k8s.io/v1/namespaces/crypto/roles/{written}"


def test_a_secret_that_asks_for_a_token_comes_back_without_the_old_one() -> None:
    marks = {"kubernetes.io/service-account.name": "ci", "kubernetes.io/service-account.uid": "1"}
    saved = _saved(
        "Secret", "secrets", type="kubernetes.io/service-account-token", data={"token": "eA=="},
        metadata={"annotations": marks},
    )  # fmt: skip
    body = applicable(saved)
    assert saved.skipped is None
    assert "data" not in body
    assert body["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "ci"}
