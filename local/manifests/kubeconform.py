"""kubeconform: does the API know every field of every object, and is each of the right type?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.manifests import schemas
from local.manifests.findings import Finding, Verdict, output

NAME = "kubeconform"
_PLACE = re.compile(r"\s+- at '(?P<path>[^']*)': ")
_GROUP = "validation failed"


def judge(program: Path, schema_folder: Path, stacks: Mapping[str, Path], version: str) -> Verdict:
    """The verdict on folders of manifests, by stack; ``version`` is the Kubernetes version of the schemas.

    Raises:
        LocalError: the tool failed, or looked at nothing.
    """
    findings: list[Finding] = []
    valid = 0
    for stack, folder in stacks.items():
        report = _report(program, schema_folder, folder)
        seen = sum(report["summary"].values())
        if seen == 0 or report["summary"]["skipped"]:
            raise LocalError(f"{NAME} did not look at every file in {folder}: {report['summary']}")
        valid += report["summary"]["valid"]
        findings += [finding for item in report["resources"] for finding in _findings(stack, item)]
    summary = f"{valid} objects of {', '.join(stacks)} fit the schemas of Kubernetes {version}"
    return Verdict(NAME, summary, tuple(sorted(findings)))


def _report(program: Path, schema_folder: Path, folder: Path) -> Any:
    command = [str(program), "-strict", "-summary", "-output", "json"]
    command += ["-schema-location", f"{schema_folder}/{schemas.LAYOUT}", str(folder)]
    return json.loads(output(command, expected=(0, 1)))


def _findings(stack: str, item: Mapping[str, Any]) -> Iterator[Finding]:
    where = f"{item['kind']}/{item['name']}" if item.get("kind") else str(item["filename"])
    for field, text in _places(str(item["msg"])):
        yield Finding(stack, where, field, text)


def _places(message: str) -> list[tuple[str, str]]:
    """The fields that a message names and what it says of each: a message of kubeconform is a tree, in one line."""
    # The first part says that there was an error; then places and what is said of them alternate.
    _, *parts = _PLACE.split(message)
    named = [(path, text.strip()) for path, text in zip(parts[::2], parts[1::2], strict=True)]
    leaves = [(_field(path), text) for path, text in named if text != _GROUP]
    return leaves or [("", message)]


def _field(path: str) -> str:
    """``/spec/containers/0/name`` as ``spec.containers[0].name``."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", path.strip("/").replace("/", "."))
