"""What the local cluster promises about claims that ask for more than they have."""

from __future__ import annotations

from typing import Any, cast

import pytest

from local.cluster.volume_growth import grow, wanted_size
from scripts.clients.kubernetes import Cluster, NotFoundError


def _claim(asked: str, has: str | None, phase: str = "Bound", **metadata: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "data-postgres-0", "namespace": "crypto", **metadata},
        "spec": {"resources": {"requests": {"storage": asked}}, "volumeName": "pvc-1"},
        "status": {"phase": phase, **({"capacity": {"storage": has}} if has else {})},
    }


class FakeApi:
    """Takes patches of the objects that there are."""

    def __init__(self, missing: str = "no such path") -> None:
        self.missing = missing
        self.patched: list[tuple[str, Any]] = []

    def patch(self, path: str, changes: dict[str, Any]) -> None:
        self.patched.append((path, changes))
        if self.missing in path:
            raise NotFoundError(path)


def test_a_bound_claim_that_asks_for_more_than_it_has_is_to_grow() -> None:
    assert wanted_size(_claim("2Gi", "1Gi")) == "2Gi"
    assert wanted_size(_claim("1025Mi", "1Gi")) == "1025Mi"


def test_a_claim_that_has_what_it_asks_for_is_left_alone_however_it_is_written() -> None:
    assert wanted_size(_claim("1024Mi", "1Gi")) is None
    assert wanted_size(_claim("1Gi", "2Gi")) is None


def test_a_claim_without_a_volume_or_on_its_way_out_is_left_alone() -> None:
    assert wanted_size(_claim("2Gi", None)) is None
    assert wanted_size(_claim("2Gi", "1Gi", phase="Lost")) is None
    assert wanted_size(_claim("2Gi", "1Gi", deletionTimestamp="2026-01-01T00:00:00Z")) is None


def test_the_volume_grows_before_its_claim_is_told() -> None:
    api = FakeApi()
    grow(cast("Cluster", api), _claim("2Gi", "1Gi"), "2Gi")
    size = {"capacity": {"storage": "2Gi"}}
    assert api.patched == [
        ("/api/v1/persistentvolumes/pvc-1", {"spec": size}),
        ("/api/v1/namespaces/crypto/persistentvolumeclaims/data-postgres-0/status", {"status": size}),
    ]


def test_a_claim_is_not_told_of_a_volume_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    api = FakeApi(missing="persistentvolumes")
    grow(cast("Cluster", api), _claim("2Gi", "1Gi"), "2Gi")
    assert len(api.patched) == 1
    assert capsys.readouterr().out == ""


def test_a_claim_that_is_gone_itself_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    grow(cast("Cluster", FakeApi(missing="persistentvolumeclaims")), _claim("2Gi", "1Gi"), "2Gi")
    assert capsys.readouterr().out == ""
