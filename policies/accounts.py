"""Rules about the identities of pods and what is handed to them: service accounts, tokens, Secrets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from policies import kinds, pods
from policies.index import StackIndex
from policies.model import (
    Judgement,
    Meta,
    Parameter,
    Parameters,
    Resource,
    Severity,
    decide,
    expect,
    expect_equal,
    undecided,
)
from policies.plain import MISSING, UNKNOWN, Node, Plain
from policies.values import whole
from runbook import secret_values
from runbook.sections import Section

# Bits of a file's mode that let everybody in.
_OTHERS: Final = 0o007


def _own_account(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    account = pods.pod_spec(resource).at("serviceAccountName")
    yield expect(
        account, lambda value: isinstance(value, str) and value not in ("", "default"), "an account of its own"
    )


def _account_exists(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for workload in index.workloads:
        account = pods.pod_spec(workload).at("serviceAccountName")
        if not account.present:
            continue
        found = index.named(kinds.SERVICE_ACCOUNT, account.text, workload.namespace)
        allowed = "a ServiceAccount that the stack declares"
        yield workload, decide(found, account.path, f'"{account.text}", which nothing declares', allowed)


def _no_token(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    yield expect_equal(resource.at("automountServiceAccountToken"), False)


def _token_for_role(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    bound = index.once("bound accounts", lambda: _bound_accounts(index))
    for workload in index.workloads:
        spec = pods.pod_spec(workload)
        token, account = spec.at("automountServiceAccountToken"), spec.at("serviceAccountName").text
        allowed = "false, or true where a role is bound to the pod's own account"
        has_role = (workload.namespace, account) in bound or (None, account) in bound
        if token.value is True:
            yield workload, decide(has_role, token.path, "true without a role", allowed)
        else:
            yield workload, expect(token, lambda value: value is False, allowed)
        for volume in spec.at("volumes").elements():
            for source in volume.at("projected", "sources").elements():
                projected = source.at("serviceAccountToken")
                # A token for another audience is of no use at the API.
                if projected.present and not projected.at("audience").present:
                    yield workload, decide(has_role, projected.path, "a token for the API without a role", allowed)


def _bound_accounts(index: StackIndex) -> set[tuple[str | None, str | None]]:
    subjects = [
        (binding, subject)
        for binding in index.of(*sorted(kinds.BINDINGS))
        for subject in binding.at("subjects").elements()
    ]
    return {
        (subject.at("namespace").text or binding.namespace, subject.at("name").text)
        for binding, subject in subjects
        if subject.at("kind").text == "ServiceAccount"
    }


def _file_mode(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for volume in pods.pod_spec(resource).at("volumes").elements():
        projected = volume.at("projected")
        secrets = [source.at("secret") for source in projected.at("sources").elements() if source.at("secret").present]
        if volume.at("secret").present:
            secrets = [*secrets, volume.at("secret")]
            yield _mode(volume.at("secret", "defaultMode"))
        elif secrets:
            yield _mode(projected.at("defaultMode"))
        for item in (item for secret in secrets for item in secret.at("items").elements()):
            if item.at("mode").present:
                yield _mode(item.at("mode"))


def _mode(mode: Node) -> Judgement:
    return expect(mode, _closed, f"a mode such as {0o440} (0440): nothing for others")


def _closed(value: Plain) -> bool:
    # Kubernetes' own default, 0644, lets everybody read.
    return whole(value) & _OTHERS == 0


def _not_declared(resource: Resource, parameters: Parameters) -> Iterable[Judgement]:
    if resource.kind == kinds.SECRET:
        for key in ("data", "stringData"):
            empty = resource.at(key).value in (MISSING, {})
            yield decide(empty, key, "there", "nothing: the Secret is made outside, and the program names it")
        kind = resource.at("type")
        allowed = "no token that the cluster issues and that never ends: a pod asks for one that does"
        yield expect(kind, lambda value: value != "kubernetes.io/service-account-token", allowed)
        return
    allowed = "no secret in a ConfigMap, by a key's name, by its shape or by what a line of a file sets"
    names = frozenset(cast("list[str]", parameters["allowedNames"]))
    for part in ("data", "binaryData"):
        for key, node in resource.at(part).entries():
            if key not in names:
                yield decide(_harmless(key, node, names), node.path, "there", allowed)
        if resource.at(part).value is UNKNOWN:
            yield undecided(part, allowed)


def _harmless(key: str, node: Node, names: frozenset[str]) -> bool:
    text = node.text
    if text is None:
        return not secret_values.named(key, None)
    lines = [name for name in secret_values.assigned(text) if name not in names]
    return not (secret_values.named(key, text) or secret_values.shape(text) or lines)


def _host_ports(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    for container in pods.all_containers(resource):
        for port in _ports(container):
            yield expect(port.at("hostPort"), lambda value: value in (MISSING, 0), "no port of the node")


def _ports(container: Node) -> Iterable[Node]:
    return container.at("ports").elements()


_RBAC: Final = "CIS Kubernetes 5.1.6; NSA Kubernetes Hardening Guide: protecting service account tokens"

RULES: Final = (
    Meta(
        "own-service-account",
        "Every pod runs under an account of its own.",
        Severity.HIGH,
        Section.ACCESS_REVIEW,
        "Set serviceAccountName to an account that only this workload uses, never default.",
        reference="CIS Kubernetes 5.1.5",
    ).of_resource(pods.is_workload, _own_account),
    Meta(
        "service-account-declared",
        "The account that a pod names exists.",
        Severity.HIGH,
        Section.ACCESS_REVIEW,
        "Declare the ServiceAccount in the same namespace: the cluster creates no pod without it.",
    ).of_stack(_account_exists),
    Meta(
        "service-account-without-token",
        "An account hands no token to pods that did not ask for one.",
        Severity.MEDIUM,
        Section.ACCESS_REVIEW,
        "Set automountServiceAccountToken: false on the ServiceAccount.",
        reference=_RBAC,
    ).of_resource(kinds.one_of(kinds.SERVICE_ACCOUNT), _no_token),
    Meta(
        "token-only-with-role",
        "Only a pod whose account has a role gets a token for the API.",
        Severity.HIGH,
        Section.ACCESS_REVIEW,
        "Set automountServiceAccountToken: false on the pod, or bind a role to its account.",
        reference=_RBAC,
    ).of_stack(_token_for_role),
    Meta(
        "secret-file-mode",
        "The files of a mounted Secret are closed to everybody but the pod's own user and group.",
        Severity.MEDIUM,
        Section.SECRET_ROTATION,
        "Set secret.defaultMode to 288 (0440) or less, and the pod's fsGroup.",
    ).of_resource(pods.is_workload, _file_mode),
    Meta(
        "no-secret-declared",
        "No secret passes through the program: it would stand in the state and in every preview.",
        Severity.CRITICAL,
        Section.SECRET_ROTATION,
        "Let the external store own the Secret and name it in crypto:secrets; keep secrets out of ConfigMaps.",
        waivable=False,
        parameters=(Parameter("allowedNames", {"type": "array", "items": {"type": "string", "minLength": 1}}, []),),
        reference="CIS Kubernetes 5.4.2; NSA Kubernetes Hardening Guide: Secrets",
    ).of_resource(kinds.one_of(kinds.SECRET, kinds.CONFIG_MAP), _not_declared),
    Meta(
        "no-host-ports",
        "No container takes a port of its node.",
        Severity.HIGH,
        Section.ACCESS_REVIEW,
        "Leave hostPort out; a Service leads to the pod.",
        reference="CIS Kubernetes 5.2.13; Pod Security baseline",
    ).of_resource(pods.is_workload, _host_ports),
)
