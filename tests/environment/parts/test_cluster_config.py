"""Rendered configuration, daemon specifications and base objects."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from local.cluster import config, machine, objects
from local.cluster.daemons import DaemonSpec, Probe, SupervisorConfig, control_plane
from local.cluster.errors import ClusterError
from local.cluster.layout import NODE, Layout
from local.cluster.lifecycle import ClusterSpec, recorded_extra_daemons, supervisor_config
from local.cluster.linux import Mount, mounts
from local.paths import Instance

BIN = Path("/opt/tools")


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("blue", 5, tmp_path / "blue", tmp_path)


def daemon(name: str, *after: str) -> DaemonSpec:
    return DaemonSpec(name=name, argv=("/bin/true",), after=after)


def test_containerd_reads_its_configuration_as_toml() -> None:
    found = tomllib.loads(config.containerd_toml("localhost/crypto/pause:1", "overlayfs"))
    assert found["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == "localhost/crypto/pause:1"
    assert found["plugins"]["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is True


def test_the_kubelet_keeps_its_pods_in_the_cgroup_of_the_instance_and_collects_no_image(instance: Instance) -> None:
    found = json.loads(config.kubelet_json(instance))
    assert found["cgroupRoot"] == "/crypto-blue"
    assert found["clusterDNS"] == ["10.231.5.2"]
    assert found["failCgroupV1"] is False
    assert found["imageGCHighThresholdPercent"] == 100


def test_pods_get_their_addresses_from_the_slot(instance: Instance) -> None:
    assert "10.244.5.0/24" in config.cni_conflist(instance)


def test_the_last_step_of_a_pods_network_is_the_wait_for_its_rules(instance: Instance) -> None:
    plugins = json.loads(config.cni_conflist(instance))["plugins"]
    written = config.files(instance, "localhost/crypto/pause:1")
    program = f"cni-bin/{plugins[-1]['type']}"
    assert Path(written[program].split()[-1]).name == "cni_plugin.py"
    assert str(NODE.config / "cni-bin") in written["containerd.toml"]
    daemon = next(spec for spec in control_plane(instance, BIN) if spec.name == "network-policies")
    assert {plugins[-1]["folder"], plugins[-1]["socket"]} <= set(daemon.argv)


def test_overlayfs_is_not_stacked_on_itself() -> None:
    table = [Mount(Path("/"), "overlay", frozenset()), Mount(Path("/data"), "ext4", frozenset())]
    assert config.snapshotter(Path("/home/state"), table) == "native"
    assert config.snapshotter(Path("/data/state"), table) == "overlayfs"
    assert config.snapshotter(Path("/database"), table) == "native"


def test_a_mount_table_is_read_with_its_escapes() -> None:
    line = "36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
    assert list(mounts(line)) == [Mount(Path("/mnt/a b"), "ext3", frozenset({"rw", "errors=continue"}))]


def test_etcd_is_durable_and_the_api_server_waits_for_it(instance: Instance) -> None:
    specs = {spec.name: spec for spec in control_plane(instance, BIN)}
    assert not [flag for flag in specs["etcd"].argv if "unsafe" in flag]
    assert specs["kube-apiserver"].after == ("etcd",)


def test_each_daemon_waits_only_for_daemons_before_it(instance: Instance) -> None:
    seen: set[str] = set()
    for spec in control_plane(instance, BIN):
        assert set(spec.after) <= seen, spec.name
        seen.add(spec.name)
    assert len(seen) == 13


def test_the_machine_is_checked_for_every_program_that_is_run(instance: Instance) -> None:
    programs = {Path(spec.argv[0]).name for spec in control_plane(instance, BIN) if spec.argv[0].startswith(str(BIN))}
    assert programs
    assert programs <= set(machine.TOOLS)


def test_a_daemon_that_waits_for_an_unknown_one_is_refused(instance: Instance) -> None:
    with pytest.raises(ClusterError, match="aws waits for the unknown daemon etcdd"):
        supervisor_config(ClusterSpec(instance, BIN, extra_daemons=(daemon("aws", "etcdd"),)))


def test_a_daemon_with_the_name_of_another_is_refused(instance: Instance) -> None:
    with pytest.raises(ClusterError, match="etcd is defined twice"):
        supervisor_config(ClusterSpec(instance, BIN, extra_daemons=(daemon("etcd"),)))


@pytest.mark.parametrize("target", ["localhost:80", "ftp://x", "unix:relative", ""])
def test_a_probe_of_an_unknown_kind_is_refused(target: str) -> None:
    with pytest.raises(ValidationError):
        Probe(target=target)


def test_the_supervisor_reads_back_what_up_wrote(instance: Instance) -> None:
    written = supervisor_config(ClusterSpec(instance, BIN, extra_daemons=(daemon("aws", "kubelet"),)))
    assert SupervisorConfig.model_validate_json(written.model_dump_json()) == written


def test_the_daemons_of_the_last_up_are_remembered(instance: Instance) -> None:
    assert recorded_extra_daemons(instance) == ()
    layout = Layout.of(instance)
    layout.create()
    extra = daemon("aws", "kubelet")
    written = supervisor_config(ClusterSpec(instance, BIN, extra_daemons=(extra,)))
    layout.supervisor_config.write_text(written.model_dump_json())
    assert recorded_extra_daemons(instance) == (extra,)


def test_no_daemon_but_kubectl_gets_the_administrators_kubeconfig(instance: Instance) -> None:
    administrators = [s.name for s in control_plane(instance, BIN) if any("admin" in part for part in s.argv)]
    assert administrators == ["base-objects", "former-pods"]


def test_no_role_of_the_daemons_has_a_wildcard_or_reads_secrets(instance: Instance) -> None:
    roles = [item for item in objects.base_objects(instance, b"pem") if item["kind"] == "ClusterRole"]
    assert len(roles) == 5
    for role in roles:
        for rule in role["rules"]:
            words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert not words & {"*", "secrets", "pods/exec"}, role["metadata"]["name"]


def test_every_binding_names_a_user_that_holds_a_certificate(instance: Instance) -> None:
    from local.cluster.pki import leaves

    users = {leaf.common_name for leaf in leaves(instance, "blue")}
    bindings = [item for item in objects.base_objects(instance, b"pem") if item["kind"].endswith("Binding")]
    assert bindings
    assert {subject["name"] for item in bindings for subject in item["subjects"]} <= users


def test_a_missing_crd_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "crd.yaml"
    with pytest.raises(ClusterError, match=f"{missing} does not exist"):
        objects.apply_crds(BIN / "kubectl", tmp_path / "kubeconfig", tmp_path / "cache", [missing])
