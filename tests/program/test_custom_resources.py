"""Custom resources against the schemas of the real CRDs, which the operators' Go modules ship.

The modules are downloaded where the machine does not have them yet; nothing is compiled.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.toolchain import crds as crd_files
from tests.program import crds
from tests.program.engine import Registered

_KINDS = {"PrometheusRule", "AlertmanagerConfig", "ServiceMonitor"}


@pytest.fixture(scope="session")
def schemas() -> dict[tuple[str, str], dict[str, Any]]:
    return crds.schemas(crd_files())


def _custom(stack: list[Registered], schemas: dict[tuple[str, str], dict[str, Any]]) -> list[Registered]:
    groups = {version.split("/")[0] for version, _ in schemas}
    return [item for item in stack if str(item.inputs.get("apiVersion", "")).split("/")[0] in groups]


def _plain(resource: Registered) -> dict[str, Any]:
    # Between program and engine every number is a float; the engine writes a whole one as an integer again.
    whole = json.loads(
        json.dumps(resource.inputs), parse_float=lambda text: int(float(text)) if float(text) % 1 == 0 else float(text)
    )
    # The schema says of metadata only that it is an object.
    return {**whole, "metadata": {}}


def _route_schema(schemas: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    config = schemas["monitoring.coreos.com/v1alpha1", "AlertmanagerConfig"]
    return config["properties"]["spec"]["properties"]["route"]


def test_every_custom_resource_fits_its_crd(
    stack: list[Registered], schemas: dict[tuple[str, str], dict[str, Any]]
) -> None:
    found = _custom(stack, schemas)
    assert {item.inputs["kind"] for item in found} >= _KINDS
    wrong = {
        item.name: crds.errors(schemas[item.inputs["apiVersion"], item.inputs["kind"]], _plain(item)) for item in found
    }
    assert not {name: errors for name, errors in wrong.items() if errors}


def test_every_route_fits_the_schema_of_the_outermost(
    stack: list[Registered], schemas: dict[tuple[str, str], dict[str, Any]]
) -> None:
    # A CRD cannot describe a tree: it takes any child. The operator reads each like the outermost.
    config = next(item for item in stack if item.inputs.get("kind") == "AlertmanagerConfig")
    routes = config.inputs["spec"]["route"]["routes"]
    assert len(routes) >= 5
    assert not [error for route in routes for error in crds.errors(_route_schema(schemas), route)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groupWaits": "1m"}, "groupWaits"),
        ({"groupWait": "one minute"}, "one minute"),
        ({"matchers": [{"name": "severity", "matchType": "==", "value": "P1"}]}, "=="),
        ({"receiver": 1}, "1 is not of type"),
    ],
)
def test_a_route_that_the_operator_would_not_take_is_noticed(
    change: dict[str, Any], words: str, schemas: dict[tuple[str, str], dict[str, Any]]
) -> None:
    assert any(words in error for error in crds.errors(_route_schema(schemas), {"receiver": "p1", **change}))
