"""Rules about the way in: hosts, certificates, backends, and that there is no other (sections 7.4 and 9.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from policies import kinds
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, among, decide, expect, undecided
from policies.plain import MISSING, UNKNOWN, Node, Scalar, show
from runbook.sections import Section


def _covers(hosts: set[Scalar], host: Scalar) -> bool:
    """Whether one of ``hosts`` is the host, or a wildcard of its parent."""
    parent = host.partition(".")[2] if isinstance(host, str) else ""
    return host in hosts or (parent != "" and f"*.{parent}" in hosts)


def _tls(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = resource.at("spec")
    blocks = spec.at("tls").elements()
    covered = {host.scalar for block in blocks for host in block.at("hosts").elements()}
    allowed = "a host that spec.tls covers"
    for rule in spec.at("rules").elements():
        host = rule.at("host")
        passed = host.value is not MISSING and _covers(covered, host.scalar)
        verdict = None if host.unknown else among(passed, unsure=UNKNOWN in covered)
        yield decide(verdict, host.path, show(host.value), allowed)
    for key in ("defaultBackend", "backend"):
        if spec.at(key).present:
            # It answers for every host that no rule names.
            some = None if spec.at("tls").unknown else bool(blocks)
            yield decide(some, spec.at(key).path, "there without spec.tls", "a default backend beside spec.tls")
    for block in blocks:
        yield expect(block.at("secretName"), lambda value: isinstance(value, str) and value != "", "a Secret's name")


def _certificate(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    signed, unsure = index.once("certificates by secret", lambda: _signed(index))
    for ingress in index.of(kinds.INGRESS):
        for block in ingress.at("spec", "tls").elements():
            secret = block.at("secretName")
            names = signed.get((ingress.namespace, secret.text))
            for host in block.at("hosts").elements():
                yield ingress, _signed_for(host, secret, names, unsure=unsure)


def _signed_for(host: Node, secret: Node, names: set[Scalar] | None, *, unsure: bool) -> Judgement:
    allowed = f"a name of a declared Certificate with the Secret {show(secret.value)}"
    waits = UNKNOWN in (host.value, secret.value) or (names is None and unsure) or UNKNOWN in (names or ())
    passed = names is not None and _covers(names, host.scalar)
    return decide(among(passed, unsure=waits), host.path, show(host.value), allowed)


def _signed(index: StackIndex) -> tuple[dict[tuple[str | None, str | None], set[Scalar]], bool]:
    """The names that certificates are for, by namespace and Secret; and whether a Secret's name is not yet known."""
    found: defaultdict[tuple[str | None, str | None], set[Scalar]] = defaultdict(set)
    unsure = False
    for certificate in index.of(kinds.CERTIFICATE):
        secret = certificate.at("spec", "secretName")
        unsure = unsure or secret.hidden
        found[certificate.namespace, secret.text] |= {
            name.scalar for name in certificate.at("spec", "dnsNames").elements()
        }
    return dict(found), unsure


def _backend(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    ports = index.once("ports of services", lambda: _ports(index))
    own = {system.object_name for system in index.systems}
    for ingress in index.of(kinds.INGRESS):
        # What leads to another namespace's Service (Grafana's) leads to what somebody else declares.
        if ingress.namespace is not None and ingress.namespace not in own:
            continue
        default = ingress.at("spec", "defaultBackend", "service")
        if default.present:
            yield ingress, _leads(index, ingress, default, ports)
        for rule in ingress.at("spec", "rules").elements():
            for path in rule.at("http", "paths").elements():
                yield ingress, _leads(index, ingress, path.at("backend", "service"), ports)


def _leads(
    index: StackIndex, ingress: Resource, backend: Node, ports: dict[tuple[str | None, str], set[Scalar]]
) -> Judgement:
    name, number, port_name = backend.at("name"), backend.at("port", "number"), backend.at("port", "name")
    port = number if number.present else port_name
    allowed = "a Service of the stack, and a port of it"
    found = False if not name.present else index.named(kinds.SERVICE, name.text, ingress.namespace)
    if found is None or port.unknown:
        return undecided(backend.path, allowed)
    known = ports.get((ingress.namespace, name.text or ""), set())
    if found and port.scalar not in known and UNKNOWN in known:
        return undecided(port.path, allowed)
    shown = f"{show(name.value)}, port {show(port.value)}"
    return decide(found and port.scalar in known, backend.path, shown, allowed)


def _ports(index: StackIndex) -> dict[tuple[str | None, str], set[Scalar]]:
    found: dict[tuple[str | None, str], set[Scalar]] = {}
    for service in index.of(kinds.SERVICE):
        ports = service.at("spec", "ports").elements()
        values = {port.at(key).scalar for port in ports for key in ("name", "port")}
        for space in {service.namespace, None}:
            found.setdefault((space, service.object_name or ""), set()).update(values - {MISSING})
    return found


def _class(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    name = resource.at("spec", "ingressClassName")
    yield expect(name, lambda value: isinstance(value, str) and value != "", "the name of the controller's class")


def _inside(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = resource.at("spec")
    yield expect(spec.at("type"), lambda value: value in (MISSING, "ClusterIP"), "ClusterIP: users come by the Ingress")
    yield expect(spec.at("externalIPs"), lambda value: value in (MISSING, []), "no address outside the cluster")


RULES: Final = (
    Meta(
        "ingress-tls",
        "Users reach every host over TLS.",
        Severity.CRITICAL,
        Section.TLS,
        "Give each host of spec.rules a place in spec.tls[].hosts, with a secretName.",
    ).of_resource(kinds.one_of(kinds.INGRESS), _tls),
    Meta(
        "ingress-certificate-declared",
        "The certificate that an Ingress serves is one that somebody renews, and it is for that host.",
        Severity.HIGH,
        Section.TLS,
        "Declare a Certificate with that secretName in the same namespace, and the host among its dnsNames.",
    ).of_stack(_certificate),
    Meta(
        "ingress-backend-declared",
        "An Ingress leads to a Service and a port that exist.",
        Severity.HIGH,
        Section.MAINTENANCE_MODE,
        "Set backend.service to a Service of the namespace and one of its ports.",
    ).of_stack(_backend),
    Meta(
        "ingress-class-stated",
        "An Ingress says which controller serves it.",
        Severity.LOW,
        Section.MAINTENANCE_MODE,
        "Set spec.ingressClassName (crypto:ingress.className).",
    ).of_resource(kinds.one_of(kinds.INGRESS), _class),
    Meta(
        "service-inside-only",
        "Nothing but the Ingress is reached from outside the cluster.",
        Severity.HIGH,
        Section.NAMESPACE,
        "Leave spec.type at ClusterIP and externalIPs out.",
        reference="NSA Kubernetes Hardening Guide: network separation",
    ).of_resource(kinds.one_of(kinds.SERVICE), _inside),
)
