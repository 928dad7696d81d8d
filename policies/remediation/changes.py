"""The changes that mend a violation, by the rule's name. Each is a value and the place where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from policies import kinds, pods
from policies.model import Resource
from policies.namespaces import ENFORCE_LABEL
from policies.plain import MISSING, Node, Path, Plain


@dataclass(frozen=True, slots=True)
class Change:
    """A value to set at a path of keys and positions."""

    path: Path
    value: Plain


Remedy: TypeAlias = Callable[[Resource], Iterable[Change]]

_SECCOMP: Final = ("securityContext", "seccompProfile")
_TEMPLATE: Final[Mapping[str, Path]] = {
    kinds.CRON_JOB: ("spec", "jobTemplate", "spec", "template", "spec"),
    kinds.POD: ("spec",),
}
_COMMON_TEMPLATE: Final[Path] = ("spec", "template", "spec")


def _pod_path(resource: Resource) -> Path:
    return _TEMPLATE.get(resource.kind, _COMMON_TEMPLATE)


def _seccomp(resource: Resource) -> Iterable[Change]:
    """The pod's profile where neither it nor a container has one; a container's own choice is left alone."""
    spec = pods.pod_spec(resource)
    if _settable(spec.at(*_SECCOMP)):
        yield Change((*_pod_path(resource), *_SECCOMP), {"type": "RuntimeDefault"})


def _restricted(resource: Resource) -> Iterable[Change]:
    """The label of the Pod Security level, where there is none: a weaker one was somebody's choice."""
    if _settable(resource.at("metadata", "labels").at(ENFORCE_LABEL)):
        yield Change(("metadata", "labels", ENFORCE_LABEL), "restricted")


def _encryption(resource: Resource) -> Iterable[Change]:
    """Encryption by S3's own keys where none is named: it needs no key and no right that could be missing."""
    rules = resource.at("rules")
    if _settable(rules):
        yield Change(("rules",), [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}])
        return
    for position, rule in enumerate(rules.elements()):
        if not rules.hidden and _settable(rule.at("applyServerSideEncryptionByDefault", "sseAlgorithm")):
            path = ("rules", position, "applyServerSideEncryptionByDefault", "sseAlgorithm")
            yield Change(path, "AES256")


def _no_token(resource: Resource) -> Iterable[Change]:
    """No token for a pod of the default account: it names no account, so nothing of it can need one."""
    if not pods.is_workload(resource.kind):
        return
    spec = pods.pod_spec(resource)
    account = spec.at("serviceAccountName").value
    if account in (MISSING, "default") and _settable(spec.at("automountServiceAccountToken")):
        yield Change((*_pod_path(resource), "automountServiceAccountToken"), False)


def _settable(node: Node) -> bool:
    """Nothing is there. What is not yet known, or secret, is there."""
    return node.value is MISSING


# By rule; a rule that the catalogue does not have is mended by nobody.
REMEDIES: Final[Mapping[str, Remedy]] = {
    "seccomp-profile": _seccomp,
    "namespace-pod-security": _restricted,
    "bucket-encryption": _encryption,
    "token-only-with-role": _no_token,
}
