"""Kubernetes manifests: what ``make render`` writes, or whatever ``kubectl apply -R -f`` takes, read as it reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from policies.model import Finding, Resource
from policies.plain import Plain
from policies.sources import stream
from policies.sources.composing import Lines, UnreadableError
from policies.sources.source import STDIN, Location, Skipped, Source, SourceError, content_of
from policies.sources.stream import Chunk

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_ALLOWED: Final = "a folder of .yaml, .yml or .json, one file, or - for standard input"
# Read by kustomize on a person's machine, and by no API server; Flux's group has another name.
_KUSTOMIZE: Final = "kustomize.config.k8s.io/"


@dataclass(frozen=True, slots=True)
class Document:
    """Where an object stands: in which of a file's documents, and by which items of a List, and of lists in it."""

    file: str
    position: int
    chunk: Chunk
    items: tuple[int, ...] = ()

    @property
    def urn(self) -> str:
        """What tells the object from all others, as a URN does in a state."""
        return ".".join([f"{self.file}#{self.position}", *map(str, self.items)])


@dataclass(slots=True)
class Manifests(Source):
    """Objects of manifests; a finding is located at the line of what it is about."""

    resources: list[Resource]
    documents: Mapping[str, Document]
    passed_over: Sequence[Skipped] = ()
    broken: Sequence[Skipped] = ()
    # What cannot be read a second time, such as standard input.
    kept: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    def locate(self, finding: Finding) -> Location:
        """The line of the value, or of the last place on the way to it that is there."""
        from policies.sources.lines import line_of  # noqa: PLC0415  only a report that names lines reads a file again

        document = self.documents.get(finding.urn)
        if document is None:
            return Location(next(iter(self.documents.values())).file)
        value, lines = self._read_again(document)
        path = finding.judgement.path
        for item in document.items:
            value = cast("list[Plain]", cast("dict[str, Plain]", value)["items"])[item]
            inner = cast("dict[str, Lines]", cast("tuple[int, object]", lines)[1])["items"]
            lines = cast("list[Lines]", cast("tuple[int, object]", inner)[1])[item]
        return Location(document.file, document.chunk.line + line_of(value, lines, path) + 1)

    def _read_again(self, document: Document) -> tuple[Plain, Lines]:
        text = self.kept.get(document.file) or _text(document.file)
        return _lines(document.file, text, document.chunk)


@lru_cache(maxsize=1)
def _text(file: str) -> bytes:
    return stream.decoded(Path(file).read_bytes())


@lru_cache(maxsize=16)
def _lines(file: str, text: bytes, chunk: Chunk) -> tuple[Plain, Lines]:
    del file
    return stream.lines(text, chunk)


@dataclass(slots=True)
class _Gathering:
    """What has been found in the files so far."""

    resources: list[Resource] = field(default_factory=list[Resource])
    documents: dict[str, Document] = field(default_factory=dict[str, Document])
    passed_over: list[Skipped] = field(default_factory=list[Skipped])
    broken: list[Skipped] = field(default_factory=list[Skipped])
    kept: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def file(self, path: Path) -> None:
        """Takes a file's objects, or says why it has none. A broken one is named and the others are judged."""
        name = STDIN if str(path) == "-" else str(path)
        try:
            text = stream.decoded(content_of(path, stream.MOST_BYTES))
            found = list(_objects(name, list(stream.documents(text))))
        except (SourceError, UnreadableError) as error:
            said = str(error).removeprefix(f"{name}: ")
            self.broken.append(Skipped(name, said if isinstance(error, SourceError) else f"not YAML: {said}"))
            return
        if not found:
            self.passed_over.append(Skipped(name, "no Kubernetes object in it"))
            return
        if not path.is_file():
            self.kept[name] = text
        for document, content in found:
            if str(content["apiVersion"]).startswith(_KUSTOMIZE):
                self.passed_over.append(Skipped(name, "read by kustomize and by no API server; judge what it builds"))
                continue
            self.resources.append(_resource(document, content))
            self.documents[document.urn] = document


def read(path: Path) -> Source:
    """The objects of a file, of all files of a folder and its folders in the order of their names, or of ``-``.

    Raises:
        SourceError: nothing to judge: no such file, no object in any, or none that can be read.
    """
    found = _Gathering()
    for file in _files(path, found.passed_over):
        found.file(file)
    if not found.resources:
        if found.broken:
            raise SourceError(str(found.broken[0]))
        raise SourceError(f"{path}: no Kubernetes object in it; allowed: {_ALLOWED}")
    return Manifests(found.resources, found.documents, found.passed_over, found.broken, found.kept)


def _files(path: Path, passed_over: list[Skipped]) -> Iterable[Path]:
    """The files that kubectl would read; what it would leave out, and people may have meant, is named."""
    if not path.is_dir():
        if str(path) != "-" and not path.exists():
            raise SourceError(f"{path}: no such file or folder")
        return [path]

    def unreadable(error: OSError) -> None:
        raise SourceError(f"{error.filename}: {error.strerror}")

    files: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=unreadable):
        below = [Path(folder, name) for name in folders]
        files += [Path(folder, name) for name in names]
        linked = [each for each in below if each.is_symlink()]
        passed_over += [Skipped(str(each), "a link to a folder, which kubectl does not follow") for each in linked]
    large = [each for each in files if each.suffix not in _SUFFIXES and each.suffix.lower() in _SUFFIXES]
    passed_over += [Skipped(str(each), f"kubectl reads {', '.join(sorted(_SUFFIXES))}") for each in large]
    return sorted(each for each in files if each.suffix in _SUFFIXES)


def _objects(file: str, documents: Sequence[tuple[Chunk, Plain]]) -> Iterable[tuple[Document, Mapping[str, Plain]]]:
    """The objects of a file; none where no document of it has both ``apiVersion`` and ``kind``, as ``values.yaml``."""
    if not any(isinstance(content, dict) and {"apiVersion", "kind"} <= content.keys() for _, content in documents):
        return
    for position, (chunk, content) in enumerate(documents):
        if content is not None:
            yield from _flattened(Document(file, position, chunk), content)


def _flattened(document: Document, content: Plain) -> Iterable[tuple[Document, Mapping[str, Plain]]]:
    """An object, or the items of a list and of lists in it: what has ``items`` is a list, whatever its kind."""
    if not isinstance(content, dict) or not _is_text(content.get("kind")) or not _is_text(content.get("apiVersion")):
        place = f"document {document.position + 1}" + "".join(f", item {item + 1}" for item in document.items)
        raise SourceError(f"{document.file}: {place} is no Kubernetes object: it needs apiVersion and kind")
    if "items" not in content:
        yield document, content
        return
    items = [] if content["items"] is None else content["items"]
    if not isinstance(items, list):
        raise SourceError(f"{document.file}: document {document.position + 1} has items that are no list")
    for number, item in enumerate(items):
        place = Document(document.file, document.position, document.chunk, (*document.items, number))
        yield from _flattened(place, _of_list(content, item))


def _of_list(above: Mapping[str, Plain], item: Plain) -> Plain:
    """An item of a DeploymentList need not say that it is a Deployment."""
    if not isinstance(item, dict) or item.get("kind") or item.get("apiVersion"):
        return item
    return {**item, "apiVersion": above["apiVersion"], "kind": str(above["kind"]).removesuffix("List")}


def _is_text(value: Plain) -> bool:
    return isinstance(value, str) and value != ""


def _resource(document: Document, content: Mapping[str, Plain]) -> Resource:
    version, kind = str(content["apiVersion"]), str(content["kind"])
    group = version if "/" in version else f"core/{version}"
    metadata = content.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return Resource(f"kubernetes:{group}:{kind}", str(name or document.urn), document.urn, dict(content))
