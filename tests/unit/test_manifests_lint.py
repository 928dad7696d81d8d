"""What the linters print becomes findings that name stack, object and field; excuses are narrow and needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from local.errors import LocalError
from local.manifests import kube_score, kubeconform
from local.manifests.findings import Finding, Verdict
from local.manifests.kube_score import Ignored, Remark
from tests.environment.parts.toolchain_fakes import write_script

_MESSAGE = (
    "problem validating schema. Check JSON formatting: jsonschema validation failed with 'file:///cache/deployment.json#'"
    " - at '/spec': validation failed   - at '/spec/strategy': additional properties 'typ' not allowed"
    "   - at '/spec/template/spec/containers/0/ports/12/containerPort': got string, want integer"
)
_REASON = "it is right like this, for a reason that takes a sentence"


def _prints(path: Path, document: Any, code: int = 0) -> Path:
    return write_script(path, f"#!/bin/sh\ncat <<'END'\n{json.dumps(document)}\nEND\nexit {code}\n")


def _conform(tmp_path: Path, resources: list[dict[str, str]], **summary: int) -> Verdict:
    counts = {"valid": 0, "invalid": len(resources), "errors": 0, "skipped": 0, **summary}
    program = _prints(tmp_path / "kubeconform", {"resources": resources, "summary": counts}, 1 if resources else 0)
    return kubeconform.judge(program, tmp_path, {"prod": tmp_path}, "1.36.3")


def test_kubeconform_names_stack_object_and_field(tmp_path: Path) -> None:
    item = {"filename": "a.yaml", "kind": "Deployment", "name": "web", "status": "statusInvalid", "msg": _MESSAGE}
    assert [finding.line() for finding in _conform(tmp_path, [item]).findings] == [
        "prod Deployment/web spec.strategy: additional properties 'typ' not allowed",
        "prod Deployment/web spec.template.spec.containers[0].ports[12].containerPort: got string, want integer",
    ]


def test_a_kind_without_a_schema_is_a_finding(tmp_path: Path) -> None:
    item = {"filename": "a.yaml", "kind": "Foo", "name": "z", "status": "statusError", "msg": "could not find schema"}
    assert [finding.line() for finding in _conform(tmp_path, [item]).findings] == ["prod Foo/z: could not find schema"]


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    item = {"filename": "a.yaml", "kind": "", "name": "", "status": "statusError", "msg": "error unmarshalling"}
    assert [finding.line() for finding in _conform(tmp_path, [item]).findings] == ["prod a.yaml: error unmarshalling"]


@pytest.mark.parametrize("summary", [{}, {"valid": 3, "skipped": 1}])
def test_kubeconform_that_looked_at_less_than_everything_is_no_success(summary: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="did not look at every file"):
        _conform(tmp_path, [], **summary)


def test_a_linter_that_fails_is_one_line(tmp_path: Path) -> None:
    program = write_script(tmp_path / "kubeconform", "#!/bin/sh\necho noise >&2\necho 'no such flag' >&2\nexit 2\n")
    with pytest.raises(LocalError, match=r"kubeconform ended with exit code 2: no such flag$"):
        kubeconform.judge(program, tmp_path, {"prod": tmp_path}, "1.36.3")


def _check(identifier: str, grade: int, comment: str | None = None, *, skipped: bool = False) -> dict[str, Any]:
    comments = [{"path": "web", "summary": comment, "description": ""}] if comment else None
    check = {"id": identifier, "comment": "What the check is for"}
    return {"check": check, "grade": grade, "skipped": skipped, "comments": comments}


def _scored(tmp_path: Path, checks: list[dict[str, Any]], entries: list[Ignored]) -> Verdict:
    item = {"type_meta": {"kind": "Deployment"}, "object_meta": {"name": "web"}, "checks": checks}
    program = _prints(tmp_path / "kube-score", [item], 1)
    return kube_score.judge(program, {"prod": tmp_path}, "1.36.3", entries)


def test_kube_score_names_stack_object_container_and_check(tmp_path: Path) -> None:
    verdict = _scored(tmp_path, [_check("container-resources", 1, "CPU limit is not set")], [])
    assert verdict.lines() == [
        "kube-score: 1 critical, 0 warnings; 0 excuses in kube_score.toml",
        "  prod Deployment/web web: CPU limit is not set (container-resources)",
    ]


def test_a_check_without_a_comment_says_what_it_is_for(tmp_path: Path) -> None:
    verdict = _scored(tmp_path, [_check("a", 1)], [])
    assert [finding.line() for finding in verdict.findings] == ["prod Deployment/web: What the check is for (a)"]


def test_warnings_are_shown_and_do_not_fail(tmp_path: Path) -> None:
    verdict = _scored(tmp_path, [_check("a", 5, "so so"), _check("b", 10), _check("c", 0, "x", skipped=True)], [])
    assert verdict.findings == ()
    assert verdict.lines()[1:] == ["  warning: prod Deployment/web web: so so (a)"]


def test_kube_score_that_saw_nothing_is_no_success(tmp_path: Path) -> None:
    program = _prints(tmp_path / "kube-score", [])
    with pytest.raises(LocalError, match="found no object"):
        kube_score.judge(program, {"prod": tmp_path}, "1.36.3", [])


def _remark(comment: str = "CPU limit is not set", where: str = "Deployment/web", stack: str = "prod") -> Remark:
    return Remark("container-resources", comment, True, Finding(stack, where, "web", comment))


@pytest.mark.parametrize(
    ("limits", "other"),
    [
        ({"comment": "CPU limit is not set"}, _remark(comment="Memory limit is not set")),
        ({"objects": ["Deployment/web"]}, _remark(where="Deployment/other")),
        ({"stacks": ["prod"]}, _remark(stack="local")),
    ],
)
def test_an_excuse_reaches_no_further_than_it_says(limits: dict[str, Any], other: Remark) -> None:
    entry = Ignored.model_validate({"check": "container-resources", "reason": _REASON, **limits})
    assert kube_score.verdict([_remark()], [entry]).findings == ()
    assert kube_score.verdict([_remark(), other], [entry]).findings == (other.finding,)


def test_an_excuse_that_nothing_needs_is_a_finding() -> None:
    entry = Ignored(check="gone", reason=_REASON)
    (finding,) = kube_score.verdict([], [entry]).findings
    assert finding.line() == "kube_score.toml gone: excuses nothing any more; remove the entry"


def test_an_excuse_without_a_reason_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[[ignored]]\ncheck = "a"\nreason = ""\n')
    with pytest.raises(ValidationError, match="reason"):
        kube_score.ignored(tmp_path / "a.toml")


def test_the_summaries_fit_eighty_columns(tmp_path: Path) -> None:
    entries = kube_score.ignored()
    assert entries
    program = _prints(tmp_path / "kubeconform", {"resources": [], "summary": {"valid": 1000, "skipped": 0}})
    stacks = {"local": tmp_path, "prod": tmp_path}
    lines = kubeconform.judge(program, tmp_path, stacks, "1.36.3").lines() + kube_score.verdict([], entries).lines()[:1]
    assert max(len(line) for line in lines) <= 80
