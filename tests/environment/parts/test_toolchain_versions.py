"""The go.mod files are the one place of the toolchain's versions: everything else that states one agrees with them."""

from __future__ import annotations

import re
import subprocess
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
    return {m["module"]: m["version"] for m in _REQUIRE.finditer(go_mod.read_text())}


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


def test_the_version_of_every_tool_is_the_one_that_go_compiles() -> None:
    chain = load()
    compared = 0
    for group in chain.groups.values():
        for module in {tool.module for tool in group.tools.values()}:
            told = subprocess.run(
                ["go", "list", "-mod=readonly", "-m", "-f", "{{or .Replace .}}", module],
                cwd=group.directory, capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert told.stdout.split() == [module, chain.modules[module]]
            compared += 1
    assert compared >= len(chain.groups)


def test_the_oldest_go_that_is_accepted_builds_every_group() -> None:
    needed = [re.findall(r"^go (\S+)$", path.read_text(), re.MULTILINE) for path in _GO_FILES]
    assert load().go in {version for (version,) in needed}
    for (version,) in needed:
        assert tuple(map(int, version.split("."))) <= tuple(map(int, load().go.split(".")))


@pytest.mark.parametrize("folder", ["kubernetes", "platform"])
def test_every_kubernetes_staging_module_has_the_release_of_kubernetes(folder: str) -> None:
    chain = load()
    release = chain.modules["k8s.io/kubernetes"].replace("v1.", "v0.", 1)
    text = (MODULES_DIR / folder / "go.mod").read_text()
    replaced = re.findall(r"^replace (k8s\.io/\S+) => k8s\.io/\S+ (v\S+)$", text, re.MULTILINE)
    assert len(replaced) > 20
    assert {version for _, version in replaced} == {release}


# Kubernetes requires its own modules without a version.
_OF_THEIR_OWN = {"platform": {"k8s.io/apiextensions-apiserver"}, "kube-state-metrics": set[str]()}


@pytest.mark.parametrize("folder", sorted(_OF_THEIR_OWN))
def test_what_runs_in_the_cluster_is_built_from_the_packages_that_the_kubernetes_tools_are_built_from(
    folder: str,
) -> None:
    """By what is required: the build cache takes a package of a replaced version for another one."""
    kubernetes, own = (_requires(MODULES_DIR / name / "go.mod") for name in ("kubernetes", folder))
    shared = kubernetes.keys() & own.keys()
    assert len(shared) > 50
    assert {module for module in shared if kubernetes[module] != own[module]} == _OF_THEIR_OWN[folder]


def test_the_sdk_is_no_newer_than_the_engine_and_of_the_version_of_the_provider() -> None:
    chain = load()
    dependencies = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (sdk,) = (line.removeprefix("pulumi==") for line in dependencies if line.startswith("pulumi=="))
    assert 0 <= _minor(chain.version_of("pulumi")) - _minor(sdk) < 10
    assert f"pulumi-kubernetes=={chain.version_of('pulumi-resource-kubernetes')}" in dependencies


def _minor(version: str) -> int:
    major, minor, _ = version.split(".")
    assert major == "3"
    return int(minor)


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
