"""kube-score: an opinion on how objects are built that this project did not write itself."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from local.errors import LocalError
from local.manifests.findings import Finding, Verdict, output

NAME: Final = "kube-score"
IGNORED_FILE: Final = Path(__file__).with_name("kube_score.toml")
# kube-score's grades; between them lies 5, a warning.
_CRITICAL: Final = 1
_WELL: Final = 10


class Ignored(BaseModel):
    """A check that may fail: everywhere, or where its comment, its object or its stack is among these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    reason: Annotated[str, Field(min_length=20)]
    comment: str | None = None
    objects: tuple[str, ...] | None = None
    stacks: tuple[str, ...] | None = None

    def covers(self, remark: Remark) -> bool:
        """Whether this entry excuses a remark."""
        return (
            self.check == remark.check
            and (self.comment is None or self.comment == remark.comment)
            and (self.objects is None or remark.finding.where in self.objects)
            and (self.stacks is None or remark.finding.stack in self.stacks)
        )


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a check did not like. ``critical`` remarks fail, the others are warnings."""

    check: str
    comment: str
    critical: bool
    finding: Finding


def ignored(path: Path = IGNORED_FILE) -> list[Ignored]:
    """The committed entries. Raises pydantic's ValidationError where one lacks a reason: a defect of the repository."""
    return [Ignored.model_validate(entry) for entry in tomllib.loads(path.read_text())["ignored"]]


def judge(program: Path, stacks: Mapping[str, Path], version: str, entries: Iterable[Ignored]) -> Verdict:
    """The verdict on folders of manifests, by stack; ``version`` is the one of Kubernetes, such as 1.36.3.

    Raises:
        LocalError: the tool failed, or looked at nothing.
    """
    remarks = [remark for stack, folder in stacks.items() for remark in _remarks(program, stack, folder, version)]
    return verdict(remarks, list(entries))


def verdict(remarks: list[Remark], entries: list[Ignored]) -> Verdict:
    """What is left of the remarks after the ignored ones, and entries that excuse nothing."""
    left = [remark for remark in remarks if not any(entry.covers(remark) for entry in entries)]
    warnings = {remark.finding for remark in left if not remark.critical}
    critical = {remark.finding for remark in left if remark.critical}
    idle = {
        Finding("", IGNORED_FILE.name, entry.check, "excuses nothing any more; remove the entry")
        for entry in entries
        if not any(entry.covers(remark) for remark in remarks)
    }
    summary = f"{len(critical)} critical, {len(warnings)} warnings; {len(entries)} excuses in {IGNORED_FILE.name}"
    return Verdict(NAME, summary, tuple(sorted(critical | idle)), tuple(sorted(warnings)))


def _remarks(program: Path, stack: str, folder: Path, version: str) -> list[Remark]:
    files = sorted(map(str, folder.glob("*.yaml")))
    minor = "v" + ".".join(version.split(".")[:2])
    command = [str(program), "score", "--output-format", "json", "--kubernetes-version", minor]
    # Excuses stand in one file, not in annotations that would travel into the cluster.
    command.append("--disable-ignore-checks-annotations")
    objects = json.loads(output([*command, *files], expected=(0, 1)))
    if not objects:
        raise LocalError(f"{NAME} found no object in {folder}")
    return [remark for item in objects for remark in _of_object(stack, item)]


def _of_object(stack: str, item: Mapping[str, Any]) -> Iterator[Remark]:
    where = f"{item['type_meta']['kind']}/{item['object_meta']['name']}"
    for result in item["checks"] or ():
        if result["skipped"] or result["grade"] >= _WELL:
            continue
        check, critical = str(result["check"]["id"]), result["grade"] <= _CRITICAL
        comments = result["comments"] or [{"path": "", "summary": result["check"]["comment"]}]
        for comment in comments:
            said = str(comment["summary"])
            yield Remark(check, said, critical, Finding(stack, where, str(comment["path"]), f"{said} ({check})"))
