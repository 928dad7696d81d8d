"""versions.toml is the one place of versions: everything else that states one agrees with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from local.toolchain.versions import EXISTING_CLUSTER_TOOLS, MODULES_DIR, STAGES, UP_STAGES, load

_ROOT = Path(__file__).parents[3]
_REQUIRE = re.compile(
    r"^(?:require )?\s*(?P<module>[\w.~/-]+) (?P<version>v\S+)(?P<indirect> // indirect)?$", re.MULTILINE
)
_GO_FILES = sorted(MODULES_DIR.glob("*/go.mod"))


def _requires(go_mod: Path) -> dict[str, str]:
    text = re.sub(r"^exclude \(.*?^\)$", "", go_mod.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {m["module"]: m["version"] for m in _REQUIRE.finditer(text)}


def _effective(go_mod: Path) -> dict[str, str]:
    """The versions that are compiled: what is required, unless something else is put in its place."""
    replaced = re.findall(r"^(?:replace|\t)\s?(\S+) => \S+ (v\S+)$", go_mod.read_text(), re.MULTILINE)
    return _requires(go_mod) | dict(replaced)


@pytest.mark.parametrize("go_mod", _GO_FILES, ids=lambda path: path.parent.name)
def test_each_go_mod_requires_the_versions_of_versions_toml(go_mod: Path) -> None:
    chain = load()
    groups = [group for group in chain.groups.values() if group.folder == go_mod.parent.name]
    assert groups
    required = _effective(go_mod)
    for group in groups:
        for tool in group.tools.values():
            assert required[tool.module] == chain.modules[tool.module]


def test_there_is_a_go_mod_with_checksums_for_every_group() -> None:
    for group in load().groups.values():
        assert (group.directory / "go.mod").is_file()
        assert (group.directory / "go.sum").read_text()


def test_an_existing_cluster_asks_for_kubectl_the_engine_and_the_provider_and_no_part_of_a_cluster() -> None:
    chain = load()
    wanted = set(EXISTING_CLUSTER_TOOLS)
    groups = [name for name, group in chain.groups.items() if wanted & {name, group.stage, *group.tools}]
    assert groups == ["kubectl", "engine", "provider"]
    tools = {tool for name in groups for tool in chain.groups[name].tools}
    assert tools >= {"kubectl", "pulumi", "pulumi-language-python", "pulumi-resource-kubernetes"}
    assert not tools & {"kubelet", "kube-apiserver", "etcd", "containerd"}


def test_every_version_belongs_to_a_tool() -> None:
    chain = load()
    used = {tool.module for group in chain.groups.values() for tool in group.tools.values()}
    assert used == set(chain.modules)


@pytest.mark.parametrize("go_mod", _GO_FILES, ids=lambda path: path.parent.name)
def test_no_go_mod_needs_a_newer_go_than_versions_toml_names(go_mod: Path) -> None:
    match = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", go_mod.read_text(), re.MULTILINE)
    assert match is not None
    assert tuple(int(n or 0) for n in match.groups()) <= tuple(int(n) for n in load().go.split("."))


@pytest.mark.parametrize("folder", ["kubernetes", "platform"])
def test_every_kubernetes_staging_module_has_the_release_of_kubernetes(folder: str) -> None:
    chain = load()
    release = chain.modules["k8s.io/kubernetes"].replace("v1.", "v0.", 1)
    text = (MODULES_DIR / folder / "go.mod").read_text()
    replaced = re.findall(r"^replace (k8s\.io/\S+) => k8s\.io/\S+ (v\S+)$", text, re.MULTILINE)
    assert len(replaced) > 20
    assert {version for _, version in replaced} == {release}


# kube-state-metrics does not compile with older ones; Kubernetes requires its own modules without a version.
_OF_THEIR_OWN = {
    "platform": {"k8s.io/apiextensions-apiserver"},
    "kube-state-metrics": {f"github.com/prometheus/{name}" for name in ("client_golang", "common", "procfs")},
}


@pytest.mark.parametrize("folder", sorted(_OF_THEIR_OWN))
def test_what_runs_in_the_cluster_is_built_from_the_packages_that_the_kubernetes_tools_are_built_from(
    folder: str,
) -> None:
    """By what is required: the build cache takes a package of a replaced version for another one."""
    kubernetes, own = (_requires(MODULES_DIR / name / "go.mod") for name in ("kubernetes", folder))
    shared = kubernetes.keys() & own.keys()
    assert len(shared) > 50
    assert {module for module in shared if kubernetes[module] != own[module]} == _OF_THEIR_OWN[folder]


def test_the_pinned_python_sdks_match_the_engine_and_the_provider() -> None:
    chain = load()
    dependencies = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"pulumi=={chain.version_of('pulumi')}" in dependencies
    assert f"pulumi-kubernetes=={chain.version_of('pulumi-resource-kubernetes')}" in dependencies


def test_groups_are_built_in_the_order_of_the_stages() -> None:
    order = [STAGES.index(group.stage) for group in load().groups.values()]
    assert order == sorted(order)
    assert set(order) == set(range(len(STAGES)))


def test_the_fingerprint_changes_with_a_version() -> None:
    chain = load()
    other = chain.model_copy(update={"go": "1.99.0"})
    assert chain.fingerprint() != other.fingerprint()


def test_make_up_builds_nothing_that_only_lint_or_a_benchmark_needs() -> None:
    assert set(STAGES) - set(UP_STAGES) == {"lint", "benchmark"}
    groups = load().groups.values()
    spared = {tool for group in groups if group.stage not in UP_STAGES for tool in group.tools}
    assert spared == {"kubeconform", "kube-score", "actionlint", "minio"}
