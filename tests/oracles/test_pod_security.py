"""Pod Security ``restricted`` is to the policies what it is to the API server that enforces it."""

from __future__ import annotations

import copy
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from policies.catalogue import BY_NAME
from policies.model import Finding, Outcome, Resource
from policies.plain import Plain, to_plain
from tests.policies.running import judge
from tests.services.api_server import api_server

# Compilers are waited for by the fixture of the tools; etcd and the API server take some seconds.
pytestmark = pytest.mark.timeout(3600)
_IN_SUITE = settings().max_examples <= 100
_EXAMPLES = 300 if _IN_SUITE else settings().max_examples
_PODS = "/api/v1/namespaces/judged/pods"

# Which rules say what admission gives as its reason.
_RULES: Final[Mapping[str, frozenset[str]]] = {
    "allowPrivilegeEscalation != false": frozenset({"no-privilege-escalation"}),
    "privileged": frozenset({"no-privilege-escalation"}),
    "unrestricted capabilities": frozenset({"drop-all-capabilities"}),
    "runAsNonRoot != true": frozenset({"run-as-non-root"}),
    "runAsUser=0": frozenset({"run-as-non-root"}),
    "seccompProfile": frozenset({"seccomp-profile"}),
    "host namespaces": frozenset({"no-host-access"}),
    "hostProcess": frozenset({"no-host-access"}),
    "hostPort": frozenset({"no-host-ports"}),
    "restricted volume types": frozenset({"no-host-access", "pod-security-restricted"}),
    "forbidden sysctls": frozenset({"pod-security-restricted"}),
    "forbidden AppArmor profile": frozenset({"pod-security-restricted"}),
    "forbidden AppArmor profiles": frozenset({"pod-security-restricted"}),
    "seLinuxOptions": frozenset({"pod-security-restricted"}),
    "procMount": frozenset({"pod-security-restricted"}),
    "probe or lifecycle host": frozenset({"pod-security-restricted"}),
}
_OURS: Final = frozenset[str]().union(*_RULES.values())


@dataclass(frozen=True, slots=True)
class Admission:
    """An API server with a namespace that enforces ``restricted``, in which nothing but one good pod is kept."""

    client: httpx.Client

    def reasons(self, pod: Mapping[str, Any]) -> frozenset[str] | None:
        """Why the server would refuse to create the pod; none where it admits it, None where it is no valid pod."""
        return _reasons(self.client.post(_PODS, params={"dryRun": "All"}, json=pod))

    def reasons_for(self, ephemeral: Mapping[str, Any]) -> frozenset[str] | None:
        """The same of a container that is put into the good pod."""
        kind = {"Content-Type": "application/strategic-merge-patch+json"}
        change = {"spec": {"ephemeralContainers": [ephemeral]}}
        path = f"{_PODS}/kept/ephemeralcontainers"
        return _reasons(self.client.patch(path, params={"dryRun": "All"}, json=change, headers=kind))


def _reasons(answer: httpx.Response) -> frozenset[str] | None:
    if answer.is_success:
        return frozenset()
    told = answer.json()["message"]
    if answer.status_code in (400, 422):
        return None
    assert answer.status_code == 403, told
    _, violates, reasons = told.partition('violates PodSecurity "restricted:latest": ')
    assert violates, told
    found = frozenset(reason for reason in _RULES if re.search(rf"(?:^|, ){re.escape(reason)} \(", reasons))
    assert found, f"no rule is said to answer for: {told}"
    return found


@pytest.fixture(scope="module")
def admission(tools_bin_dir: Path) -> Iterator[Admission]:
    # Without a controller no namespace has an account.
    with api_server(tools_bin_dir, "--disable-admission-plugins=ServiceAccount", "--allow-privileged=true") as server:
        trusted = ssl.create_default_context(cafile=server.pki / "ca.crt")
        trusted.load_cert_chain(server.pki / "admin.crt", server.pki / "admin.key")
        with httpx.Client(verify=trusted, base_url=server.url, trust_env=False, timeout=60) as client:
            labels = {"pod-security.kubernetes.io/enforce": "restricted"}
            namespace = {"metadata": {"name": "judged", "labels": labels}}
            client.post("/api/v1/namespaces", json=namespace).raise_for_status()
            kept = _pod(_LINUX)
            kept["metadata"]["name"] = "kept"
            client.post(_PODS, json=kept).raise_for_status()
            yield Admission(client)


_SAFE: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_OF_POD: Final = {key: _SAFE[key] for key in ("runAsNonRoot", "runAsUser", "seccompProfile")}


def _container(name: str, **context: Any) -> dict[str, Any]:
    return {"name": name, "image": "registry.k8s.io/pause:3.10", "securityContext": context}


# Pods that are admitted: what is stated by the pod, by the containers, and by both; of Linux and of Windows.
_LINUX: Final[dict[str, Any]] = {
    "securityContext": _OF_POD,
    "containers": [_container("main", **_SAFE)],
    "initContainers": [_container("first", **_SAFE)],
}
_BY_POD: Final[dict[str, Any]] = {
    "securityContext": _OF_POD,
    "containers": [_container("main", allowPrivilegeEscalation=False, capabilities={"drop": ["ALL"]})],
}
_BY_CONTAINERS: Final[dict[str, Any]] = {
    "containers": [_container("main", **_SAFE), _container("second", **_SAFE)],
    "initContainers": [{**_container("sidecar", **_SAFE), "restartPolicy": "Always"}],
}
_WINDOWS: Final[dict[str, Any]] = {
    "os": {"name": "windows"},
    "securityContext": {"runAsNonRoot": True, "windowsOptions": {"runAsUserName": "ContainerUser"}},
    "containers": [_container("main")],
    "initContainers": [_container("first")],
}
_BASES: Final[tuple[dict[str, Any], ...]] = (_LINUX, _BY_POD, _BY_CONTAINERS, _WINDOWS)

_TRUTHS: Final[tuple[Any, ...]] = (True, False, None)
_PROFILES: Final[tuple[Any, ...]] = (
    None,
    {"type": "RuntimeDefault"},
    {"type": "Unconfined"},
    {"type": "Localhost", "localhostProfile": "own"},
)
_SELINUX: Final[tuple[dict[str, Any], ...]] = (
    *({"type": kind} for kind in ("", "container_t", "container_engine_t", "container_kvm_t", "spc_t", "container_T")),
    *({}, {"level": "s0:c1"}, {"user": "system_u"}, {"role": "object_r"}, {"user": "", "role": ""}),
)
_HOST_PROCESS: Final[tuple[dict[str, Any], ...]] = (
    {"hostProcess": True},
    {"hostProcess": False},
    {"runAsUserName": "ContainerAdministrator"},
    {},
)
# Of a pod and of a container alike.
_SHARED: Final[Mapping[str, tuple[Any, ...]]] = {
    "runAsNonRoot": _TRUTHS,
    "runAsUser": (None, 0, 1, 1000),
    "runAsGroup": (None, 0),
    "seccompProfile": _PROFILES,
    "appArmorProfile": _PROFILES,
    "seLinuxOptions": _SELINUX,
    "windowsOptions": _HOST_PROCESS,
}
_OF_CONTAINER: Final[Mapping[str, tuple[Any, ...]]] = {
    **_SHARED,
    "allowPrivilegeEscalation": _TRUTHS,
    "privileged": _TRUTHS,
    "procMount": (None, "Default", "Unmasked", ""),
    "readOnlyRootFilesystem": _TRUTHS,
    "capabilities": (
        *(None, {}, {"drop": []}, {"drop": ["ALL"]}, {"drop": ["all"]}, {"drop": ["NET_RAW"]}, {"add": ["SYS_ADMIN"]}),
        *({"drop": ["NET_RAW", "ALL"]}, {"drop": ["ALL"], "add": []}, {"drop": ["ALL"], "add": ["CAP_CHOWN"]}),
        *({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"] * count} for count in (1, 2)),
        *({"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]}, {"drop": ["ALL"], "add": ["ALL"]}),
    ),
}
_SYSCTLS: Final = (
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
    *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
    *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
    *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_notsent_lowat"),
    *("net.ipv4.tcp_slow_start_after_idle", "net.core.somaxconn", "kernel.msgmax", "net.ipv4.tcp_mem", "vm.overcommit"),
)
_NAMED: Final = {"name": "v"}
_VOLUMES: Final[tuple[dict[str, Any], ...]] = (
    *({"emptyDir": {}}, {"emptyDir": {"medium": "Memory"}}, {}, {"hostPath": None, "emptyDir": {}}),
    *({"configMap": _NAMED}, {"secret": {"secretName": "v"}}, {"persistentVolumeClaim": {"claimName": "v"}}),
    *(
        {"downwardAPI": {}},
        {"projected": {"sources": []}},
        {"csi": {"driver": "example.com"}},
        {"gitRepo": {"repository": "r"}},
    ),
    *(
        {"hostPath": {"path": "/etc"}},
        {"nfs": {"server": "n", "path": "/"}},
        {"image": {"reference": "example.com/i:1"}},
    ),
    *(
        {"iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:disk", "lun": 0}},
        {"cephfs": {"monitors": ["m"]}},
    ),
    *(
        {"fc": {"targetWWNs": ["5"], "lun": 1}},
        {"awsElasticBlockStore": {"volumeID": "v"}},
        {"azureFile": {"secretName": "s", "shareName": "s"}},
    ),
    *(
        {"glusterfs": {"endpoints": "e", "path": "p"}},
        {"rbd": {"monitors": ["m"], "image": "i"}},
        {"flexVolume": {"driver": "a/b"}},
    ),
    *(
        {"gcePersistentDisk": {"pdName": "p"}},
        {"vsphereVolume": {"volumePath": "p"}},
        {"portworxVolume": {"volumeID": "v"}},
    ),
    {
        "ephemeral": {
            "volumeClaimTemplate": {
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            }
        }
    },
)
_HANDLERS: Final[tuple[dict[str, Any], ...]] = (
    *({"httpGet": {"port": 80}}, {"httpGet": {"port": 80, "host": ""}}, {"httpGet": {"port": 80, "host": "127.0.0.1"}}),
    *({"tcpSocket": {"port": 80}}, {"tcpSocket": {"port": 80, "host": "example.com"}}, {"exec": {"command": ["true"]}}),
)
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/main"

_Change = tuple[tuple[str | int, ...], Any]
_EMPTY: Final[tuple[dict[str, Any] | None, ...]] = (None, {})
_CHANGES: Final[tuple[_Change, ...]] = (
    *((("securityContext", key), value) for key, values in _SHARED.items() for value in values),
    *((("securityContext", "sysctls"), [{"name": name, "value": "1"}]) for name in _SYSCTLS),
    *(((key,), value) for key in ("hostNetwork", "hostPID", "hostIPC", "hostUsers") for value in _TRUTHS),
    *((("volumes",), [{**_NAMED, **volume}]) for volume in _VOLUMES),
    *(
        (("@annotations", _APP_ARMOR), value)
        for value in ("runtime/default", "localhost/own", "unconfined", "", "localhost/")
    ),
    *((("os",), value) for value in (None, {"name": "linux"}, {"name": "windows"})),
    *(
        ((holder, 0, "securityContext", key), value)
        for holder in ("containers", "initContainers")
        for key, values in _OF_CONTAINER.items()
        for value in values
    ),
    *((("containers", 0, "securityContext"), value) for value in _EMPTY),
    *(
        (("containers", 0, "ports"), [{"containerPort": 80, **port}])
        for port in ({}, {"hostPort": 0}, {"hostPort": 80})
    ),
    *((("initContainers", 0, "ports"), [{"containerPort": 81, "hostPort": 81}]),),
    *(
        (("containers", 0, probe), each)
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        for each in _HANDLERS
    ),
    *((("containers", 0, "lifecycle"), {hook: each}) for hook in ("postStart", "preStop") for each in _HANDLERS),
    *((("initContainers", 0, "lifecycle"), {"preStop": each}) for each in _HANDLERS),
)

# What is valid together only.
_TOGETHER: Final[tuple[tuple[_Change, ...], ...]] = (
    *(
        ((("containers", 0, "securityContext", "privileged"), True), (("containers", 0, "securityContext", key), value))
        for key, value in (("allowPrivilegeEscalation", True), ("allowPrivilegeEscalation", None))
    ),
    ((("hostUsers",), False), (("containers", 0, "securityContext", "procMount"), "Unmasked")),
    ((("hostNetwork",), True), (("securityContext", "windowsOptions"), {"hostProcess": True})),
)


def _pod(spec: Mapping[str, Any], *changes: _Change) -> dict[str, Any]:
    """The pod with these changes; one of a container that is not there is left out."""
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "good", "annotations": {}}}
    pod["spec"] = copy.deepcopy(dict(spec))
    for path, value in changes:
        holder: Any = pod["metadata"] if path[0] == "@annotations" else pod["spec"]
        keys = ("annotations", *path[1:]) if path[0] == "@annotations" else path
        if keys[0] == "initContainers" and "initContainers" not in holder:
            continue
        for key in keys[:-1]:
            if isinstance(key, str) and holder.get(key) is None:
                holder[key] = {}
            holder = holder[key]
        holder[keys[-1]] = copy.deepcopy(value)
    return pod


def _told(pod: Mapping[str, Any]) -> frozenset[str]:
    """The rules that report the pod for what admission could refuse it for, too."""
    properties = to_plain({**pod, "metadata": {**pod["metadata"], "namespace": "judged"}})
    assert isinstance(properties, dict)
    found: dict[str, Plain] = properties
    resource = Resource("kubernetes:core/v1:Pod", "good", "good", found)
    findings = [finding for name in _OURS for finding in judge(BY_NAME[name], [resource], {}).of(Outcome.VIOLATED)]
    return frozenset(finding.rule.name for finding in findings if not _is_stricter(pod, finding))


def _is_stricter(pod: Mapping[str, Any], finding: Finding) -> bool:
    """What the policies refuse on purpose and Pod Security admits."""
    if finding.rule.name != "run-as-non-root":
        return False
    # Without a number the kubelet must trust the image, and refuses to start one whose user has a name.
    unstated = finding.judgement.path.endswith("runAsUser") and finding.judgement.found == "missing"
    # Root in a user namespace is root to the pod's own files and sockets: the runbook asks for a user of its own.
    return unstated or pod["spec"].get("hostUsers") is False


def _agree(pod: Mapping[str, Any], reasons: frozenset[str]) -> None:
    told = _told(pod)
    for reason in reasons:
        assert _RULES[reason] & told, f"admission refuses it and no rule does: {reason}"
    answered = frozenset[str]().union(*(_RULES[reason] for reason in reasons))
    assert told <= answered, f"rules refuse it and admission does not: {sorted(told - answered)}"


@pytest.mark.parametrize("spec", _BASES, ids=["both", "pod", "containers", "windows"])
def test_what_pod_security_admits_no_rule_reports(admission: Admission, spec: Mapping[str, Any]) -> None:
    pod = _pod(spec)
    assert admission.reasons(pod) == frozenset()
    _agree(pod, frozenset())


def test_each_change_alone_is_judged_as_admission_judges_it(admission: Admission) -> None:
    seen, different = set[str](), list[str]()
    for spec in _BASES:
        for changes in (*((each,) for each in _CHANGES), *_TOGETHER):
            pod = _pod(spec, *changes)
            reasons = admission.reasons(pod)
            if reasons is None:
                continue
            seen |= reasons
            try:
                _agree(pod, reasons)
            except AssertionError as error:
                different.append(f"{changes} {spec.get('os', '')}: {error}")
    assert not different, "\n".join(different)
    # Each reason has been given, but the plural, which takes two profiles.
    assert seen >= _RULES.keys() - {"forbidden AppArmor profiles"}


@settings(max_examples=_EXAMPLES, derandomize=_IN_SUITE, suppress_health_check=(HealthCheck.too_slow,))
@given(st.sampled_from(_BASES), st.lists(st.sampled_from(_CHANGES), min_size=2, max_size=4))
def test_changes_together_are_judged_as_admission_judges_them(
    admission: Admission, spec: Mapping[str, Any], changes: list[_Change]
) -> None:
    pod = _pod(spec, *changes)
    reasons = admission.reasons(pod)
    assume(reasons is not None)
    assert reasons is not None
    _agree(pod, reasons)


def test_a_container_that_is_put_into_a_running_pod_is_judged_as_admission_judges_it(admission: Admission) -> None:
    answers = list[frozenset[str]]()
    for key, values in _OF_CONTAINER.items():
        for value in values:
            ephemeral = _container("look", **{**_SAFE, key: value})
            reasons = admission.reasons_for(ephemeral)
            if reasons is not None:
                answers.append(reasons)
                _agree(_pod({**_LINUX, "ephemeralContainers": [ephemeral]}), reasons)
    assert frozenset() in answers
    assert len(set(answers)) > 5
