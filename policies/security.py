"""Rules about what a pod may do: Pod Security level ``restricted``, a read-only root, no secret in its variables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from policies import pods
from policies.model import (
    Judgement,
    Meta,
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
from runbook.sections import Section

_SECRET_NAME: Final = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)")
# A variable that names where a secret lies holds no secret.
_POINTS_TO_FILE: Final = re.compile(r"_(FILE|PATH|DIR|NAME)$")
# The one that the Pod Security level restricted lets a container add.
_ADDABLE: Final[tuple[Plain, ...]] = (MISSING, [], ["NET_BIND_SERVICE"])
_SECCOMP: Final = ("RuntimeDefault", "Localhost")


def _effective(resource: Resource, container: Node, key: str) -> Node:
    """A setting of the container, else of its pod."""
    own = container.at("securityContext", key)
    shared = pods.pod_spec(resource).at("securityContext", key)
    return own if own.present or not shared.present else shared


def _non_root(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.all_containers(resource):
        yield expect_equal(_effective(resource, container, "runAsNonRoot"), True)
        user = _effective(resource, container, "runAsUser")
        yield expect(user, _is_user, "a numeric user other than 0")


def _is_user(value: Plain) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _no_escalation(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.all_containers(resource):
        context = container.at("securityContext")
        yield expect_equal(context.at("allowPrivilegeEscalation"), False)
        yield expect(context.at("privileged"), lambda value: value in (MISSING, False), "false")


def _drop_all(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.all_containers(resource):
        capabilities = container.at("securityContext", "capabilities")
        yield _contains_all(capabilities.at("drop"))
        yield expect(capabilities.at("add"), lambda value: value in _ADDABLE, "no capability added")


def _contains_all(drop: Node) -> Judgement:
    dropped = [node.value for node in drop.elements()]
    all_of_them = among("ALL" in dropped, unsure=any(node.unknown for node in drop.elements()))
    return decide(all_of_them, drop.path, "a list without it" if drop.present else "missing", 'a list with "ALL"')


def _seccomp(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.all_containers(resource):
        profile = _effective(resource, container, "seccompProfile").at("type")
        yield expect(profile, lambda value: value in _SECCOMP, " or ".join(_SECCOMP))


def _read_only_root(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.all_containers(resource):
        yield expect_equal(container.at("securityContext", "readOnlyRootFilesystem"), True)


def _no_host_access(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = pods.pod_spec(resource)
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        yield expect(spec.at(key), lambda value: value in (MISSING, False), "false")
    for volume in spec.at("volumes").elements():
        yield expect(volume.at("hostPath"), lambda value: value is MISSING, "no volume of the host")


def _no_secret_in_env(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.all_containers(resource):
        for variable in container.at("env").elements():
            yield _variable(variable)
        for source in container.at("envFrom").elements():
            yield decide(not source.at("secretRef").present, source.path, "a whole Secret", "a Secret mounted as files")


def _variable(variable: Node) -> Judgement:
    allowed = "a Secret mounted as a file, and the variable naming the file"
    if variable.unknown or variable.at("name").unknown:
        return undecided(variable.path, allowed)
    if variable.at("valueFrom", "secretKeyRef").present:
        return decide(False, variable.path, "a key of a Secret", allowed)
    name = (variable.at("name").text or "").upper()
    named = _SECRET_NAME.search(name) and not _POINTS_TO_FILE.search(name)
    literal = variable.at("value").value not in (MISSING, "")
    # The value itself is never shown: by its name it is a secret.
    return decide(not (named and literal), variable.path, "a literal value under a secret's name", allowed)


# Controls of public frameworks that ask for the same.
_REFERENCES: Final = {
    "run-as-non-root": "CIS Kubernetes 5.2.7; NSA Kubernetes Hardening Guide: non-root containers",
    "no-privilege-escalation": "CIS Kubernetes 5.2.2, 5.2.6; Pod Security restricted",
    "drop-all-capabilities": "CIS Kubernetes 5.2.8 to 5.2.10; Pod Security restricted",
    "seccomp-profile": "CIS Kubernetes 5.7.2; Pod Security restricted",
    "read-only-root": "NSA Kubernetes Hardening Guide: immutable container file systems",
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
        "Leave hostNetwork, hostPID, hostIPC and hostPath volumes out.",
        Severity.CRITICAL,
        waivable=False,
    ).of_resource(pods.is_workload, _no_host_access),
    Meta(
        "no-secret-in-env",
        "No secret is handed over in an environment variable, where every child process and crash dump sees it.",
        Severity.HIGH,
        Section.SECRET_ROTATION,
        "Mount the Secret as files and let the variable (NAME_FILE) say where.",
        waivable=False,
        reference="CIS Kubernetes 5.4.1",
    ).of_resource(pods.is_workload, _no_secret_in_env),
)
