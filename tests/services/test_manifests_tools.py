"""The genuine kubeconform and kube-score over both stacks, and over stacks with defects that they must find."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import toolchain
from local.manifests import kube_score, kubeconform, lint, render, schemas
from local.manifests.findings import Verdict
from local.toolchain.versions import load

_VERSION = load().version_of("kube-apiserver")
_Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="session")
def linters() -> dict[str, Path]:
    return toolchain.ensure(lint.TOOLS)


@pytest.fixture(scope="session")
def schema_folder() -> Path:
    return schemas.folder()


@pytest.fixture(autouse=True)
def offline(linters: dict[str, Path], schema_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once tools and schemas are there, whatever would be asked of the network fails."""
    assert linters
    assert schema_folder
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with production's manifests."""
    folder = tmp_path_factory.mktemp("rendered")
    render.write("prod", folder)
    return folder / "prod"


@pytest.fixture
def production(rendered: Path, tmp_path: Path) -> Path:
    """Production's manifests, for a test to spoil."""
    return Path(shutil.copytree(rendered, tmp_path / "prod"))


def _spoil(folder: Path, name: str, change: _Change) -> None:
    path = folder / name
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def _conform(linters: dict[str, Path], folder: Path) -> Verdict:
    return kubeconform.judge(linters["kubeconform"], schemas.folder(), {"prod": folder}, _VERSION)


def _score(linters: dict[str, Path], folder: Path) -> Verdict:
    entries = [entry for entry in kube_score.ignored() if entry.stacks is None or "prod" in entry.stacks]
    return kube_score.judge(linters["kube-score"], {"prod": folder}, _VERSION, entries)


def test_both_stacks_pass(linters: dict[str, Path], tmp_path: Path) -> None:
    verdicts = lint.judge(linters["kubeconform"], linters["kube-score"], ["local", "prod"], tmp_path)
    assert [verdict.tool for verdict in verdicts] == ["kubeconform", "kube-score"]
    for verdict in verdicts:
        assert len(verdict.lines()) == 1, verdict.lines()
        assert len(verdict.lines()[0]) <= 80
    rendered = len(list(tmp_path.glob("*/*.yaml")))
    assert verdicts[0].summary.startswith(f"{rendered} objects of local, prod ")


def _misspelt(content: dict[str, Any]) -> None:
    container = content["spec"]["template"]["spec"]["containers"][0]
    container["readinessProbe"]["timeoutSecond"] = 5


def _wrong_type(content: dict[str, Any]) -> None:
    content["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = "8004"


def _without_containers(content: dict[str, Any]) -> None:
    del content["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_misspelt, ".containers[0].readinessProbe: additional properties 'timeoutSecond' not allowed"),
        (_wrong_type, ".containers[0].ports[0].containerPort: got string, want integer"),
        (_without_containers, ": missing property 'containers'"),
    ],
)
def test_kubeconform_finds_a_field_that_the_api_would_not_take(
    change: _Change, said: str, linters: dict[str, Path], production: Path
) -> None:
    _spoil(production, "deployment.crypto.sentiment.yaml", change)
    (finding,) = _conform(linters, production).findings
    assert finding.line() == f"prod Deployment/sentiment spec.template.spec{said}"


_CUSTOM = """
apiVersion: {version}
kind: {kind}
metadata: {{name: sample, namespace: crypto}}
spec: {spec}
"""


@pytest.mark.parametrize(
    ("version", "kind", "spec", "lines"),
    [
        (
            "monitoring.coreos.com/v1",
            "PrometheusRule",
            "{groups: [{name: a, rules: [{alert: A, exp: up, expr: up, for: 10 minutes}]}]}",
            [
                "prod PrometheusRule/sample spec.groups[0].rules[0]: additional properties 'exp' not allowed",
                "prod PrometheusRule/sample spec.groups[0].rules[0].for: '10 minutes' does not match pattern",
            ],
        ),
        (
            "cert-manager.io/v1",
            "Certificate",
            "{secretName: s, issuerRef: {name: i}, duration: 2160h, renewBefor: 720h}",
            ["prod Certificate/sample spec: additional properties 'renewBefor' not allowed"],
        ),
        ("monitoring.coreos.com/v1", "PrometheusRule", "{groups: [{name: a, rules: [{alert: A, expr: up}]}]}", []),
        ("example.org/v1", "Unknown", "{}", ["prod Unknown/sample: could not find schema for Unknown"]),
    ],
)
def test_kubeconform_knows_custom_resources(
    version: str, kind: str, spec: str, lines: list[str], linters: dict[str, Path], production: Path
) -> None:
    (production / "custom.yaml").write_text(_CUSTOM.format(version=version, kind=kind, spec=spec))
    found = [finding.line() for finding in _conform(linters, production).findings]
    assert len(found) == len(lines)
    for line, said in zip(lines, found, strict=True):
        assert said.startswith(line)


def _without_memory_limit(content: dict[str, Any]) -> None:
    content["spec"]["template"]["spec"]["containers"][0]["resources"].pop("limits")


def _writable(content: dict[str, Any]) -> None:
    content["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False


@pytest.mark.parametrize(
    ("change", "check"),
    [(_without_memory_limit, "container-resources"), (_writable, "container-security-context-readonlyrootfilesystem")],
)
def test_kube_score_finds_what_nobody_excused(
    change: _Change, check: str, linters: dict[str, Path], production: Path
) -> None:
    _spoil(production, "deployment.crypto.sentiment.yaml", change)
    (finding,) = _score(linters, production).findings
    assert finding.line().startswith("prod Deployment/sentiment sentiment: ")
    assert finding.line().endswith(f"({check})")


def test_kube_score_finds_a_service_without_pods(linters: dict[str, Path], production: Path) -> None:
    (production / "deployment.crypto.sentiment.yaml").unlink()
    lines = [finding.line() for finding in _score(linters, production).findings]
    assert any(line.startswith("prod Service/sentiment-service: ") for line in lines)


def test_an_annotation_excuses_nothing(linters: dict[str, Path], production: Path) -> None:
    def annotated(content: dict[str, Any]) -> None:
        _writable(content)
        content["metadata"]["annotations"]["kube-score/ignore"] = "container-security-context-readonlyrootfilesystem"

    _spoil(production, "deployment.crypto.sentiment.yaml", annotated)
    assert len(_score(linters, production).findings) == 1


def test_the_schemas_have_every_kind_and_refer_to_nothing_outside(schema_folder: Path) -> None:
    for version, kind in (
        ("v1", "Pod"),
        ("apps/v1", "StatefulSet"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("cert-manager.io/v1", "ClusterIssuer"),
        ("monitoring.coreos.com/v1", "ServiceMonitor"),
        ("monitoring.coreos.com/v1alpha1", "AlertmanagerConfig"),
    ):
        text = (schema_folder / schemas.file_name(version, kind)).read_text()
        assert text.count('"$ref"') == text.count('"$ref":"#/definitions/') > 0
