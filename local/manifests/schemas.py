"""JSON schemas for kubeconform: Kubernetes' own API and the CRDs of the toolchain, converted once into the cache.

Made from the OpenAPI description of the version that the embedded cluster runs, so that nothing is downloaded from
elsewhere. Strict: a field that the API does not know is an error, where the API server itself would only warn.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import yaml

from local import toolchain
from local.toolchain.store import default_cache
from local.toolchain.versions import Toolchain, load

OPENAPI: Final = "kubernetes-openapi"
# Where kubeconform finds a kind's schema below the folder; its Group is "v1" for the core kinds.
LAYOUT: Final = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"

Schema = dict[str, Any]

_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_REFERENCE: Final = "#/definitions/"
_NUMBER_OR_TEXT: Final[Schema] = {"type": ["string", "integer"]}
# The description calls these strings; the API takes numbers as well.
_LENIENT: Final[Mapping[str, Schema]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _NUMBER_OR_TEXT,
}
# OpenAPI's own words, which mean nothing to a JSON schema; `nullable` and int-or-string are translated.
_DROPPED: Final = ("description", "default", "nullable", "example", "externalDocs")


def folder(cache: Path | None = None, chain: Toolchain | None = None) -> Path:
    """The folder with a schema for each kind, converted first where it is not in the cache.

    Raises:
        ToolchainError: a module cannot be had.
    """
    chosen = chain or load()
    final = (cache or default_cache()) / "schemas" / _fingerprint(chosen)
    if not final.is_dir():
        partial = final.with_name(f".{final.name}-{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        for name, schema in _all(cache, chosen):
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(schema, separators=(",", ":")))
        _publish(partial, final)
    return final


def file_name(api_version: str, kind: str) -> str:
    """Where the schema of a kind lies below the folder: LAYOUT, filled in."""
    group, _, version = api_version.rpartition("/")
    return f"{group or version}/{kind.lower()}_{version}.json"


def from_openapi(document: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """A schema for each kind of an OpenAPI 2 description, with all that it refers to inside."""
    definitions = _strict_definitions(document)
    for name, definition in document["definitions"].items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            group = f"{kind['group']}/" if kind["group"] else ""
            yield file_name(group + kind["version"], kind["kind"]), _complete(definitions[name], definitions)


def from_crd(crd: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """A schema for each version of a CustomResourceDefinition. ``document`` describes the metadata of its objects."""
    definitions = _strict_definitions(document)
    spec = crd["spec"]
    for version in spec["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"])
        # A CRD may leave its metadata open: the API server knows what belongs there.
        schema["properties"]["metadata"] = {"$ref": _REFERENCE + _OBJECT_META}
        api_version = f"{spec['group']}/{version['name']}"
        yield file_name(api_version, spec["names"]["kind"]), _complete(schema, definitions)


def strict(node: Mapping[str, Any]) -> Schema:
    """An OpenAPI schema as a JSON schema that refuses unknown fields."""
    made = {key: _converted(key, value) for key, value in node.items() if _is_kept(key)}
    if node.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        made.update(_NUMBER_OR_TEXT)
    closed = "additionalProperties" not in node and not node.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in node and closed:
        made["additionalProperties"] = False
    if node.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def _is_kept(key: str) -> bool:
    return key not in _DROPPED and not key.startswith("x-kubernetes-")


def _converted(key: str, value: Any) -> Any:
    if key in ("properties", "patternProperties"):
        # Names of fields, one of which may well be "description".
        return {name: strict(schema) for name, schema in value.items()}
    if key in ("items", "additionalProperties", "not") and isinstance(value, dict):
        return strict(cast("Schema", value))
    if key in ("allOf", "anyOf", "oneOf"):
        return [_condition(schema) for schema in value]
    return value


def _condition(schema: Mapping[str, Any]) -> Schema:
    """An alternative that a CRD adds to a schema: it names only some fields, and the others stay allowed."""
    made = strict(schema)
    made.pop("additionalProperties", None)
    if "properties" in made:
        made["properties"] = {name: _condition(child) for name, child in schema["properties"].items()}
    return made


def _strict_definitions(document: Mapping[str, Any]) -> dict[str, Schema]:
    return {name: _LENIENT.get(name) or strict(node) for name, node in document["definitions"].items()}


def _complete(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The schema with the definitions that it refers to, directly or not, and no others."""
    needed: dict[str, Schema] = {}
    waiting = list(_references(schema))
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = definitions[name]
            waiting.extend(_references(definitions[name]))
    return {**schema, "definitions": dict(sorted(needed.items()))}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in cast("Schema", node).items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_REFERENCE)
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in cast("list[Any]", node):
            yield from _references(item)


def _all(cache: Path | None, chain: Toolchain) -> Iterator[tuple[str, Schema]]:
    document = json.loads(toolchain.module_file(OPENAPI, cache, chain).read_text())
    yield from from_openapi(document)
    for path in toolchain.crds(cache, chain):
        yield from from_crd(_load(path), document)


class _Loader(yaml.CSafeLoader):
    """libyaml's loader (some of these files have a megabyte), for which a bare ``=`` is a text as in YAML 1.2."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: str(node.value))


def _load(path: Path) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", yaml.load(path.read_text(), Loader=_Loader))  # noqa: S506 (a safe loader)


def _fingerprint(chain: Toolchain) -> str:
    """Changes with the versions that the schemas are made from, and with how they are made."""
    source = chain.files[OPENAPI]
    parts = [source.model_dump_json(), chain.modules[source.module]]
    parts += [crds.model_dump_json() for crds in chain.crds.values()]
    return hashlib.sha256("\0".join([*parts, Path(__file__).read_text()]).encode()).hexdigest()[:16]


def _publish(partial: Path, final: Path) -> None:
    """Makes the folder visible, at once and whole; where another run was first, its folder is as good."""
    try:
        partial.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(partial, ignore_errors=True)
