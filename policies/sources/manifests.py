"""Kubernetes manifests: what ``make render`` writes, or any folder of YAML or JSON that ``kubectl apply -f`` takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from yaml12 import parse_yaml

from policies.model import Finding, Resource
from policies.plain import Plain, to_plain
from policies.sources.source import Location, Source, SourceError

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
# Expanded by the readers of Kubernetes, unknown to YAML 1.2: files that use it take the slow way.
_MERGE: Final = "<<:"


@dataclass(frozen=True, slots=True)
class Document:
    """Where an object stands: the file, and the how-manieth of its documents and of a List's items it is."""

    file: str
    position: int
    item: int | None = None

    @property
    def urn(self) -> str:
        """What tells the object from all others, as a URN does in a state."""
        return f"{self.file}#{self.position}" + ("" if self.item is None else f".{self.item}")


@dataclass(slots=True)
class Manifests(Source):
    """Objects of manifests; a finding is located at the line of what it is about."""

    resources: list[Resource]
    documents: Mapping[str, Document]

    def locate(self, finding: Finding) -> Location:
        """The line of the value, or of the last place on the way to it that is there."""
        from policies.sources.lines import line_of  # noqa: PLC0415  only a report that names lines reads a file again

        document = self.documents.get(finding.urn)
        if document is None:
            return Location(next(iter(self.documents.values())).file)
        return Location(document.file, line_of(document, finding.judgement.path))


def read(path: Path) -> Source:
    """The objects of a file, or of all files of a folder and its folders, in the order of their names.

    Raises:
        SourceError: nothing to read, text that is no YAML, or a document that is no Kubernetes object.
    """
    resources: list[Resource] = []
    documents: dict[str, Document] = {}
    for file in _files(path):
        for document, content in _objects(str(file), _documents(file)):
            resources.append(_resource(document, content))
            documents[document.urn] = document
    if not resources:
        raise SourceError(f"{path}: no Kubernetes object in it; allowed: a folder of .yaml, .yml or .json, or one file")
    return Manifests(resources, documents)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceError(f"{path}: no such file or folder")
    return sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())


def _documents(file: Path) -> list[Any]:
    try:
        text = file.read_text()
        if _MERGE in text:
            import yaml  # noqa: PLC0415

            return list(yaml.load_all(text, Loader=yaml.CSafeLoader))
        return parse_yaml(text, multi=True)
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}") from None
    except Exception as error:  # the two readers have no class of errors in common
        if not isinstance(error, ValueError) and type(error).__module__.partition(".")[0] != "yaml":
            raise
        raise SourceError(f"{file}: not YAML: {' '.join(str(error).split())}") from None


def _objects(file: str, documents: Iterable[Any]) -> Iterable[tuple[Document, Mapping[str, Any]]]:
    for position, content in enumerate(documents):
        if content is None:
            continue
        document = Document(file, position)
        if isinstance(content, dict) and str(cast("dict[str, Any]", content).get("kind")).endswith("List"):
            items = cast("dict[str, Any]", content).get("items")
            if isinstance(items, list):
                for item, each in enumerate(cast("list[Any]", items)):
                    yield _checked(Document(file, position, item), each)
                continue
        yield _checked(document, cast("object", content))


def _checked(document: Document, content: object) -> tuple[Document, Mapping[str, Any]]:
    told = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    if not isinstance(told.get("kind"), str) or not isinstance(told.get("apiVersion"), str):
        number = document.position + 1
        raise SourceError(f"{document.file}: document {number} is no Kubernetes object: it needs apiVersion and kind")
    return document, told


def _resource(document: Document, content: Mapping[str, Any]) -> Resource:
    version, kind = str(content["apiVersion"]), str(content["kind"])
    group = version if "/" in version else f"core/{version}"
    metadata = content.get("metadata")
    name = cast("dict[str, Any]", metadata).get("name") if isinstance(metadata, dict) else None
    properties = cast("dict[str, Plain]", to_plain(content))
    return Resource(f"kubernetes:{group}:{kind}", str(name or document.urn), document.urn, properties)
