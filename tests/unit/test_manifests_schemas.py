"""Kubernetes' API description becomes schemas that refuse what the API does not know, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from local import toolchain
from local.manifests import schemas
from local.toolchain.versions import Toolchain, load

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_DOCUMENT: dict[str, Any] = {
    "definitions": {
        _META: {"type": "object", "properties": {"name": {"type": "string"}}},
        "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "string", "format": "int-or-string"},
        "sample.v1.Spec": {
            "type": "object",
            "required": ["port"],
            "properties": {
                "port": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString"},
                "size": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"},
                "description": {"type": "string", "description": "a field that has the name of a keyword"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "sample.v1.Thing": {
            "type": "object",
            "description": "A thing.",
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"$ref": f"#/definitions/{_META}"},
                "spec": {"$ref": "#/definitions/sample.v1.Spec"},
            },
            "x-kubernetes-group-version-kind": [{"group": "sample.io", "kind": "Thing", "version": "v1"}],
        },
        "core.v1.Bare": {
            "type": "object",
            "x-kubernetes-group-version-kind": [{"group": "", "kind": "Bare", "version": "v1"}],
        },
    }
}
_CRD: dict[str, Any] = {
    "spec": {
        "group": "example.org",
        "names": {"kind": "Custom"},
        "versions": [
            {
                "name": "v1beta1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "metadata": {"type": "object"},
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "port": {
                                        "anyOf": [{"type": "integer"}, {"type": "string"}],
                                        "x-kubernetes-int-or-string": True,
                                    },
                                    "maybe": {"type": "string", "nullable": True},
                                    "open": {
                                        "type": "object",
                                        "properties": {"known": {"type": "string"}},
                                        "x-kubernetes-preserve-unknown-fields": True,
                                    },
                                    "either": {
                                        "type": "object",
                                        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                                        "anyOf": [{"required": ["b"], "properties": {"b": {"type": "string"}}}],
                                    },
                                },
                            },
                        },
                    }
                },
            }
        ],
    }
}


def _wrong(schema: schemas.Schema, value: Any) -> list[str]:
    jsonschema.Draft7Validator.check_schema(schema)
    validator: Any = jsonschema.Draft7Validator(schema)
    return [error.message for error in validator.iter_errors(value)]


def _thing(**spec: Any) -> list[str]:
    schema = dict(schemas.from_openapi(_DOCUMENT))["sample.io/thing_v1.json"]
    return _wrong(schema, {"apiVersion": "sample.io/v1", "kind": "Thing", "spec": {"port": 1, **spec}})


def _custom(**content: Any) -> list[str]:
    schema = dict(schemas.from_crd(_CRD, _DOCUMENT))["example.org/custom_v1beta1.json"]
    return _wrong(schema, content)


def test_a_schema_lies_where_kubeconform_looks_for_its_kind() -> None:
    assert set(dict(schemas.from_openapi(_DOCUMENT))) == {"sample.io/thing_v1.json", "v1/bare_v1.json"}
    assert schemas.file_name("apps/v1", "Deployment") == "apps/deployment_v1.json"
    assert schemas.LAYOUT == "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"


def test_what_the_api_takes_is_valid() -> None:
    assert _thing() == []
    for more in ({"port": "http"}, {"size": "1Gi"}, {"size": 1.5}, {"description": "x"}, {"labels": {"any": "thing"}}):
        assert _thing(**more) == [], more


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"prot": 1}, "'prot' was unexpected"),
        ({"port": 1.5}, "1.5 is not of type 'string', 'integer'"),
        ({"labels": {"a": 1}}, "1 is not of type 'string'"),
        ({"description": {"text": "x"}}, "is not of type 'string'"),
    ],
)
def test_what_the_api_does_not_know_is_refused(spec: dict[str, Any], said: str) -> None:
    (message,) = _thing(**spec)
    assert said in message


def test_a_schema_has_all_that_it_refers_to_and_nothing_else() -> None:
    made = dict(schemas.from_openapi(_DOCUMENT))
    names = set(made["sample.io/thing_v1.json"]["definitions"])
    assert names == {
        _META,
        "sample.v1.Spec",
        *(name for name in _DOCUMENT["definitions"] if "apimachinery.pkg" in name),
    }
    assert made["v1/bare_v1.json"]["definitions"] == {}


def test_a_custom_resource_may_be_what_its_definition_says() -> None:
    assert _custom(metadata={"name": "x"}, spec={"port": "http", "maybe": None, "open": {"any": "thing"}}) == []
    assert _custom(spec={"port": 80, "either": {"a": "1", "b": "2"}}) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"spec": {"prot": 1}}, "'prot' was unexpected"),
        ({"spec": {"port": 1.5}}, "is not of type 'string', 'integer'"),
        ({"spec": {"either": {"b": "1", "c": "2"}}}, "'c' was unexpected"),
        ({"spec": {"open": {"known": 1}}}, "1 is not of type 'string'"),
        ({"metadata": {"nam": "x"}}, "'nam' was unexpected"),
    ],
)
def test_a_custom_resource_is_checked_as_strictly(content: dict[str, Any], said: str) -> None:
    (message,) = _custom(**content)
    assert said in message


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Modules with one kind and one CustomResourceDefinition."""
    document, crd = tmp_path / "swagger.json", tmp_path / "crd.yaml"
    document.write_text(json.dumps(_DOCUMENT))
    # A bare = is a text: PyYAML alone takes it for something else, and these files contain it.
    crd.write_text(json.dumps(_CRD).replace('"v1beta1"', '"v1beta1", "served": ["=", =]'))
    monkeypatch.setattr(toolchain, "module_file", lambda *_: document)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] (stands in for any call)
    monkeypatch.setattr(toolchain, "crds", lambda *_: [crd])  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] (stands in for any call)
    return tmp_path


def test_schemas_are_converted_once(sources: Path) -> None:
    folder = schemas.folder(sources / "cache")
    files = {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.json")}
    assert set(files) == {"sample.io/thing_v1.json", "v1/bare_v1.json", "example.org/custom_v1beta1.json"}
    for name in ("swagger.json", "crd.yaml"):
        (sources / name).unlink()
    assert schemas.folder(sources / "cache") == folder
    assert {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.json")} == files


def test_a_conversion_that_fails_leaves_nothing_that_looks_done(sources: Path) -> None:
    (sources / "crd.yaml").write_text("spec: {}")
    with pytest.raises(KeyError):
        schemas.folder(sources / "cache")
    assert [path for path in (sources / "cache" / "schemas").iterdir() if not path.name.startswith(".")] == []


@pytest.mark.usefixtures("sources")
def test_another_version_gets_schemas_of_its_own(tmp_path: Path) -> None:
    chain = load()
    other = chain.model_copy(update={"modules": {**chain.modules, "k8s.io/kubernetes": "v1.99.0"}})
    assert isinstance(other, Toolchain)
    assert schemas.folder(tmp_path / "cache", chain) != schemas.folder(tmp_path / "cache", other)
