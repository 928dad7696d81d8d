"""Rules about what a pod may do: Pod Security level ``restricted``, a read-only root, no secret in its variables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from policies import kinds, pods
from policies.model import (
    Judgement,
    Meta,
    Parameter,
    Parameters,
    Resource,
    Severity,
    among,
    decide,
    expect,
    expect_equal,
    undecided,
)
from policies.plain import MISSING, Node, Plain
from runbook import secret_values
from runbook.sections import Section

# The one that the Pod Security level restricted lets a container add.
_ADDABLE: Final = "NET_BIND_SERVICE"
_A_USER: Final = "a numeric user other than 0"
_SECCOMP: Final = ("RuntimeDefault", "Localhost")
# What the Pod Security level restricted lets a pod ask for.
_SAFE_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
        "net.ipv4.tcp_slow_start_after_idle",
        "net.ipv4.tcp_notsent_lowat",
    }
)
# A folder of the node is told by no-host-access, which nothing waives.
_VOLUMES: Final = frozenset(
    {
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "hostPath", "image"),
        *("persistentVolumeClaim", "projected", "secret"),
    }
)
_APP_ARMOR: Final[tuple[Plain, ...]] = (MISSING, *_SECCOMP)
_OLD_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SELINUX: Final[tuple[Plain, ...]] = (
    MISSING,
    *("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"),
)
_ASKED: Final = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)
_ITSELF: Final = "nothing: the kubelet asks the pod itself, and no other host"


def _is_windows(resource: Resource) -> bool:
    """Whether the pod states Windows: it has no rights of Linux to give up, and a kubelet of Linux refuses it."""
    return pods.pod_spec(resource).at("os", "name").text == "windows"


def _effective(resource: Resource, container: Node, key: str) -> Node:
    """A setting of the container, else of its pod."""
    own = container.at("securityContext", key)
    shared = pods.pod_spec(resource).at("securityContext", key)
    return own if own.present or not shared.present else shared


def _non_root(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    shared, windows = pods.pod_spec(resource).at("securityContext"), _is_windows(resource)
    # Pod Security refuses what the pod states, even where each container states better.
    yield expect(shared.at("runAsNonRoot"), lambda value: value is MISSING or value is True, "true")
    yield expect(shared.at("runAsUser"), lambda value: value is MISSING or _is_user(value), _A_USER)
    for container in pods.every_container(resource):
        yield expect_equal(_effective(resource, container, "runAsNonRoot"), True)
        if windows:
            continue  # its users have names
        user = _effective(resource, container, "runAsUser")
        yield expect(user, _is_user, _A_USER)


def _is_user(value: Plain) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _no_escalation(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    windows = _is_windows(resource)
    for container in pods.every_container(resource):
        context = container.at("securityContext")
        if not windows:
            yield expect_equal(context.at("allowPrivilegeEscalation"), False)
        yield expect(context.at("privileged"), lambda value: value in (MISSING, False), "false")


def _drop_all(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    windows = _is_windows(resource)
    for container in pods.every_container(resource):
        capabilities = container.at("securityContext", "capabilities")
        if not windows:
            yield _contains_all(capabilities.at("drop"))
        yield expect(capabilities.at("add"), _is_addable, "no capability added")


def _is_addable(value: Plain) -> bool:
    return value is MISSING or (isinstance(value, list) and all(each == _ADDABLE for each in value))


def _contains_all(drop: Node) -> Judgement:
    dropped = [node.value for node in drop.elements()]
    all_of_them = among("ALL" in dropped, unsure=any(node.unknown for node in drop.elements()))
    return decide(all_of_them, drop.path, "a list without it" if drop.present else "missing", 'a list with "ALL"')


def _seccomp(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    if _is_windows(resource):
        return
    allowed = " or ".join(_SECCOMP)
    shared = pods.pod_spec(resource).at("securityContext", "seccompProfile", "type")
    yield expect(shared, lambda value: value is MISSING or value in _SECCOMP, allowed)
    for container in pods.every_container(resource):
        profile = _effective(resource, container, "seccompProfile").at("type")
        yield expect(profile, lambda value: value in _SECCOMP, allowed)


def _read_only_root(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    if _is_windows(resource):
        return
    for container in pods.every_container(resource):
        yield expect_equal(container.at("securityContext", "readOnlyRootFilesystem"), True)


def _no_host_access(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    if resource.kind == kinds.VOLUME:
        yield expect(resource.at("spec", "hostPath"), lambda value: value is MISSING, "no folder of a node")
        return
    spec = pods.pod_spec(resource)
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        yield expect(spec.at(key), lambda value: value in (MISSING, False), "false")
    for holder in (spec, *pods.every_container(resource)):
        process = holder.at("securityContext", "windowsOptions", "hostProcess")
        yield expect(process, lambda value: value in (MISSING, False), "false")
    for volume in spec.at("volumes").elements():
        yield expect(volume.at("hostPath"), lambda value: value is MISSING, "no volume of the host")


def _restricted(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec, containers = pods.pod_spec(resource), pods.every_container(resource)
    for sysctl in spec.at("securityContext", "sysctls").elements():
        yield expect(sysctl.at("name"), lambda value: value in _SAFE_SYSCTLS, "a sysctl of the pod alone")
    for volume in spec.at("volumes").elements():
        kinds_of_volume = [key for key, _node in volume.entries() if key != "name"]
        found = " and ".join(kinds_of_volume)
        yield decide(_VOLUMES.issuperset(kinds_of_volume), volume.path, found, "a volume that holds no device or share")
    for holder in (spec, *containers):
        context = holder.at("securityContext")
        armour = context.at("appArmorProfile", "type")
        yield expect(armour, lambda value: value in _APP_ARMOR, "RuntimeDefault or Localhost")
        labels = context.at("seLinuxOptions")
        yield expect(labels.at("type"), lambda value: value in _SELINUX, "a type of containers, like container_t")
        for key in ("user", "role"):
            yield expect(labels.at(key), lambda value: value in (MISSING, ""), "nothing: the node's own counts")
    for container in containers:
        mount = container.at("securityContext", "procMount")
        yield expect(mount, lambda value: value in (MISSING, "Default"), "Default")
        for place in _ASKED:
            for handler in ("httpGet", "tcpSocket"):
                yield expect(container.at(*place, handler, "host"), lambda value: value in (MISSING, ""), _ITSELF)
    for key, profile in pods.template(resource).at("metadata", "annotations").entries():
        if key.startswith(_OLD_APP_ARMOR):
            yield expect(profile, _is_old_profile, "runtime/default or localhost/...")


def _is_old_profile(value: Plain) -> bool:
    return isinstance(value, str) and (value in ("", "runtime/default") or value.startswith("localhost/"))


def _no_secret_in_env(resource: Resource, parameters: Parameters) -> Iterable[Judgement]:
    allowed = frozenset(cast("list[str]", parameters["allowedNames"]))
    for container in pods.every_container(resource):
        for variable in container.at("env").elements():
            if variable.at("name").text not in allowed:
                yield _variable(variable)
        for source in container.at("envFrom").elements():
            secret = source.at("secretRef")
            whole = None if secret.unknown else not secret.present
            yield decide(whole, source.path, "a whole Secret", "a Secret mounted as files")
        for key in ("command", "args"):
            yield _arguments(container.at(key), allowed)


def _variable(variable: Node) -> Judgement:
    allowed = "a Secret mounted as a file, and the variable naming the file"
    name, value = variable.at("name"), variable.at("value")
    if variable.unknown or name.unknown:
        return undecided(variable.path, allowed)
    if variable.at("valueFrom", "secretKeyRef").present:
        return decide(False, variable.path, "a key of a Secret", allowed)
    # The value itself is never shown: by its name or its shape it is a secret.
    if value.text is not None:
        shape = secret_values.shape(value.text)
        if shape is not None:
            return decide(False, variable.path, shape, allowed)
    named = value.present and secret_values.named(name.text or "", value.text)
    return decide(not named, variable.path, "a literal value under a secret's name", allowed)


def _arguments(arguments: Node, allowed: frozenset[str]) -> Judgement:
    """Judge what a container is started with: everybody on the node reads it."""
    texts = [node.text or "" for node in arguments.elements()]
    shapes = [secret_values.shape(text) for text in texts]
    options = [*secret_values.options(texts)]
    found = next(
        (f"with the option {option}" for option, value in options if _is_secret(option, value, allowed)),
        next((f"with {shape}" for shape in shapes if shape), None),
    )
    return decide(found is None, arguments.path, str(found), "the name of a file that holds the secret")


def _is_secret(option: str, value: str, allowed: frozenset[str]) -> bool:
    return option not in allowed and secret_values.named(option, value)


# Controls of public frameworks that ask for the same.
_REFERENCES: Final = {
    "run-as-non-root": "CIS Kubernetes 5.2.7; NSA Kubernetes Hardening Guide: non-root containers",
    "no-privilege-escalation": "CIS Kubernetes 5.2.2, 5.2.6; Pod Security restricted",
    "drop-all-capabilities": "CIS Kubernetes 5.2.8 to 5.2.10; Pod Security restricted",
    "seccomp-profile": "CIS Kubernetes 5.7.2; Pod Security restricted",
    "read-only-root": "NSA Kubernetes Hardening Guide: immutable container file systems",
    "pod-security-restricted": "CIS Kubernetes 5.2.1; Pod Security restricted",
    "no-host-access": "CIS Kubernetes 5.2.3 to 5.2.5, 5.2.12; Pod Security baseline",
}


def _meta(
    name: str, description: str, remediation: str, severity: Severity = Severity.HIGH, *, waivable: bool = True
) -> Meta:
    section, reference = Section.ACCESS_REVIEW, _REFERENCES[name]
    return Meta(name, description, severity, section, remediation, reference=reference, waivable=waivable)


RULES: Final = (
    _meta(
        "run-as-non-root",
        "Every container runs as a numeric user that is not root.",
        "Set runAsNonRoot: true and the image's numeric runAsUser in the securityContext of the pod or container.",
    ).of_resource(pods.is_workload, _non_root),
    _meta(
        "no-privilege-escalation",
        "No container can gain more rights than it starts with.",
        "Set securityContext.allowPrivilegeEscalation: false on the container, and leave privileged out.",
        waivable=False,
    ).of_resource(pods.is_workload, _no_escalation),
    _meta(
        "drop-all-capabilities",
        "Every container drops all Linux capabilities.",
        'Set securityContext.capabilities.drop: ["ALL"] on the container, and add none.',
    ).of_resource(pods.is_workload, _drop_all),
    _meta(
        "seccomp-profile",
        "Every container runs under a seccomp profile.",
        "Set securityContext.seccompProfile.type: RuntimeDefault on the pod.",
        Severity.MEDIUM,
    ).of_resource(pods.is_workload, _seccomp),
    _meta(
        "read-only-root",
        "No container can write to its own image.",
        "Set securityContext.readOnlyRootFilesystem: true on the container, and mount an emptyDir where it writes.",
        Severity.MEDIUM,
    ).of_resource(pods.is_workload, _read_only_root),
    _meta(
        "no-host-access",
        "No pod shares the node's network, processes or files.",
        "Leave hostNetwork, hostPID, hostIPC, hostProcess and hostPath volumes out.",
        Severity.CRITICAL,
        waivable=False,
    ).of_resource(lambda kind: pods.is_workload(kind) or kind == kinds.VOLUME, _no_host_access),
    _meta(
        "pod-security-restricted",
        "A pod asks for nothing else that the Pod Security level restricted refuses.",
        "Leave out what the message names: sysctls, kinds of volumes, procMount, AppArmor, SELinux, hosts of probes.",
    ).of_resource(pods.is_workload, _restricted),
    Meta(
        "no-secret-in-env",
        "No secret is handed over in an environment variable, where every child process and crash dump sees it.",
        Severity.HIGH,
        Section.SECRET_ROTATION,
        "Mount the Secret as files and let the variable (NAME_FILE) say where.",
        waivable=False,
        parameters=(Parameter("allowedNames", {"type": "array", "items": {"type": "string", "minLength": 1}}, []),),
        reference="CIS Kubernetes 5.4.1",
    ).of_resource(pods.is_workload, _no_secret_in_env),
)
