"""Rules about certificates: how long they live, when they are renewed, who signs them (section 7.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies import kinds
from policies.index import StackIndex
from policies.model import Judgement, Meta, Parameters, Resource, Severity, decide, expect, expect_equal, undecided
from policies.plain import MISSING, Node, Plain
from policies.values import UnreadableValueError, whole
from runbook import practices, units
from runbook.sections import Section

_DAY: Final = 86_400
_WARNING: Final = practices.CERTIFICATE_WARNING
_LONGEST: Final = practices.CERTIFICATE_LONGEST
_MOST_PERCENT: Final = 50
_HALF: Final = "a certificate is else renewed for most of its life"
# What cert-manager takes where a Certificate does not say.
_DEFAULT_LIFETIME: Final = 90 * _DAY
_ELLIPTIC: Final = ("ECDSA", "Ed25519")


def _seconds(value: Plain) -> float:
    """A duration of a Certificate, which cert-manager reads as Go does: ``2160h``, and no ``90d``."""
    if not isinstance(value, str):
        raise UnreadableValueError(value)
    return units.nanoseconds(value) / 10**9


def _days(value: Plain) -> float:
    return _seconds(value) / _DAY


def _renewal(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = resource.at("spec")
    before, percent, duration = (spec.at(key) for key in ("renewBefore", "renewBeforePercentage", "duration"))
    allowed = (
        f"more than the {_WARNING.count} days at which the alert speaks, so that it only does when a renewal fails"
    )
    if percent.present and before.present:
        yield decide(False, percent.path, "there beside renewBefore", "one of the two")
    elif percent.present and duration.hidden:
        yield undecided(duration.path, "at least twice renewBefore")
    elif percent.present:
        life = _lifetime(duration)
        least = f"{allowed}, of a life of {life / _DAY:g} days"
        yield expect(percent, lambda value: whole(value) * life / 100 > _WARNING.value * _DAY, least)
        yield expect(percent, lambda value: whole(value) <= _MOST_PERCENT, f"{_MOST_PERCENT} or less: {_HALF}")
    else:
        yield expect(before, lambda value: _days(value) > _WARNING.value, allowed)
        if duration.hidden:
            yield undecided(duration.path, "at least twice renewBefore")
        elif duration.present and before.present and not before.hidden:
            twice = _double(before.value)
            yield expect(duration, lambda value: _seconds(value) >= twice, f"at least twice renewBefore: {_HALF}")


def _lifetime(duration: Node) -> float:
    try:
        return _seconds(duration.value) if duration.present else _DEFAULT_LIFETIME
    except ValueError:
        return 0


def _double(before: Plain) -> float:
    try:
        return 2 * _seconds(before)
    except ValueError:
        return 0


def _duration(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    spec = resource.at("spec")
    if spec.at("isCA").value is True:
        return
    yield expect(
        spec.at("duration"),
        lambda value: 0 < _days(value) <= _LONGEST.value,
        f"{_LONGEST.count} days or less, as 2160h",
    )


def _key(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    key = resource.at("spec", "privateKey")
    yield expect_equal(key.at("rotationPolicy"), "Always")
    algorithm = key.at("algorithm")
    if algorithm.value in (*_ELLIPTIC, "RSA", MISSING):
        if algorithm.value not in _ELLIPTIC:
            size = key.at("size")
            least = practices.RSA_KEY_SIZE.count
            yield expect(size, lambda value: value is MISSING or whole(value) >= least, f"{least} bits or more")
    else:
        yield expect(algorithm, lambda _: False, "ECDSA, Ed25519 or RSA")


def _issuer_exists(index: StackIndex, _: Parameters) -> Iterable[tuple[Resource, Judgement]]:
    for certificate in index.of(kinds.CERTIFICATE):
        reference = certificate.at("spec", "issuerRef")
        kind, name = reference.at("kind"), reference.at("name")
        allowed = "an Issuer of the namespace, or a ClusterIssuer, that the stack declares"
        if kind.hidden:
            found = None
        elif kind.text == "ClusterIssuer":
            found = index.named(kinds.CLUSTER_ISSUER, name.text, None)
        else:
            found = index.named(kinds.ISSUER, name.text, certificate.namespace)
        if found is None and not name.present:
            found = False
        yield certificate, decide(found, name.path, f'"{name.text}", which nothing declares', allowed)


def _acme(resource: Resource, _: Parameters) -> Iterable[Judgement]:
    acme = resource.at("spec", "acme")
    if not acme.present:
        names = [key for key, _node in resource.at("spec").entries()]
        yield decide(bool(names), "spec", "empty", "an authority: acme, ca, vault, selfSigned")
        return
    server, email = acme.at("server"), acme.at("email")
    yield expect(server, lambda value: isinstance(value, str) and value.startswith("https://"), "an https:// address")
    yield expect(email, lambda value: isinstance(value, str) and "@" in value, "the address that the authority warns")


def _meta(name: str, description: str, severity: Severity, remediation: str) -> Meta:
    return Meta(name, description, severity, Section.TLS, remediation)


_IS_CERTIFICATE: Final = kinds.one_of(kinds.CERTIFICATE)

RULES: Final = (
    _meta(
        "certificate-renewal",
        "A certificate is renewed before anybody is told that it ends.",
        Severity.HIGH,
        "Set renewBefore above the alert's lead and to half of duration at most (crypto:certificates).",
    ).of_resource(_IS_CERTIFICATE, _renewal),
    _meta(
        "certificate-duration",
        "A server's certificate is not valid for longer than browsers accept.",
        Severity.MEDIUM,
        "Set duration, in crypto:certificates.durationDays.",
    ).of_resource(_IS_CERTIFICATE, _duration),
    _meta(
        "certificate-key",
        "A renewed certificate gets a new key, and a strong one.",
        Severity.MEDIUM,
        "Set privateKey.rotationPolicy: Always, and algorithm ECDSA or an RSA size of 2048 and more.",
    ).of_resource(_IS_CERTIFICATE, _key),
    _meta(
        "certificate-issuer-declared",
        "The authority that a certificate names exists.",
        Severity.HIGH,
        "Declare the issuer, or name one that is declared: nothing is signed otherwise.",
    ).of_stack(_issuer_exists),
    _meta(
        "issuer-reachable",
        "An ACME authority is asked over TLS, and knows whom to warn.",
        Severity.MEDIUM,
        "Set spec.acme.server to an https:// address and spec.acme.email.",
    ).of_resource(kinds.one_of(kinds.ISSUER, kinds.CLUSTER_ISSUER), _acme),
)
