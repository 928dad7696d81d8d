"""Certificates by cert-manager: who signs, for which names, and when they are renewed (section 7.4)."""

from __future__ import annotations

from typing import Any, Final

import pulumi
from pulumi_kubernetes import apiextensions, meta

from components.context import Context, child
from components.labels import WAIT_FOR, labels, section_annotations
from runbook.sections import Section
from runbook.settings import CertificateSettings, Settings

API_VERSION: Final = "cert-manager.io/v1"
# The runbook's own name for the Secret.
TLS_SECRET: Final = "tls-secret"  # noqa: S105 (the name of a Secret)
GRAFANA_SECRET: Final = "grafana-tls"  # noqa: S105 (the name of a Secret)
_SECTION: Final = Section.TLS
_WAIT_READY: Final = {WAIT_FOR: "condition=Ready"}
_CA_YEARS: Final = 10


def hours(days: int) -> str:
    """Days as cert-manager writes durations."""
    return f"{days * 24}h0m0s"


def issuer_name(settings: Settings) -> str:
    """The ClusterIssuer that signs; it has no namespace, so that it carries the system's."""
    return f"{settings.namespace}-{'acme' if settings.certificates.issuer == 'acme' else 'ca'}"


def acme_spec(settings: Settings) -> dict[str, Any]:
    """An ACME account, proven over HTTP through the system's own ingress class."""
    certificates = settings.certificates
    return {
        "acme": {
            "server": certificates.acme_server,
            "email": certificates.email,
            "privateKeySecretRef": {"name": f"{settings.namespace}-acme-account"},
            "solvers": [{"http01": {"ingress": {"ingressClassName": settings.ingress.class_name}}}],
        }
    }


def issuer_ref(name: str) -> dict[str, Any]:
    """How a Certificate names a ClusterIssuer."""
    return {"name": name, "kind": "ClusterIssuer", "group": "cert-manager.io"}


def authority_spec(settings: Settings) -> dict[str, Any]:
    """The certificate of the cluster's own authority."""
    name = issuer_name(settings)
    return {
        "isCA": True,
        "commonName": f"{settings.namespace} {settings.environment_name} authority",
        "secretName": name,
        "duration": hours(_CA_YEARS * 365),
        "renewBefore": hours(365),
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": issuer_ref(f"{settings.namespace}-self-signed"),
    }


def certificate_spec(secret: str, names: list[str], issuer: str, settings: CertificateSettings) -> dict[str, Any]:
    """A server's certificate. Its key is made anew at each renewal: a key that leaked ends with its certificate."""
    return {
        "secretName": secret,
        "dnsNames": names,
        "duration": hours(settings.duration_days),
        "renewBefore": hours(settings.renew_before_days),
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
        "issuerRef": issuer_ref(issuer),
    }


def grafana_host(settings: Settings) -> str:
    """Grafana's name."""
    return f"grafana.{settings.domain}"


class Certificates(pulumi.ComponentResource):
    """Issuers and certificates. What serves with them names their Secrets, which are renewed without it."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:tls:Certificates", name, None, opts)
        settings = context.settings
        issuer = self._acme(name, context) if settings.certificates.issuer == "acme" else self._authority(name, context)
        signed_by = issuer_name(settings)
        domain = certificate_spec(TLS_SECRET, [settings.domain], signed_by, settings.certificates)
        grafana = certificate_spec(GRAFANA_SECRET, [grafana_host(settings)], signed_by, settings.certificates)
        self.certificates = [
            self._certificate(
                f"{name}-domain", context.metadata(TLS_SECRET, "tls", _SECTION, _WAIT_READY), domain, issuer
            ),
            self._certificate(f"{name}-grafana", self._elsewhere(settings, GRAFANA_SECRET), grafana, issuer),
        ]
        self.register_outputs({"issuer": signed_by})

    def _certificate(
        self, name: str, metadata: meta.v1.ObjectMetaArgs, spec: dict[str, Any], issuer: pulumi.Resource
    ) -> apiextensions.CustomResource:
        return apiextensions.CustomResource(
            name,
            api_version=API_VERSION,
            kind="Certificate",
            metadata=metadata,
            spec=spec,
            opts=child(self, depends_on=[issuer]),
        )

    def _issuer(
        self, name: str, kind: str, spec: dict[str, Any], context: Context, *depends_on: pulumi.Resource
    ) -> apiextensions.CustomResource:
        return apiextensions.CustomResource(
            name,
            api_version=API_VERSION,
            kind="ClusterIssuer",
            metadata=context.cluster_metadata(kind, "tls", _SECTION, _WAIT_READY),
            spec=spec,
            opts=child(self, depends_on=depends_on),
        )

    def _acme(self, name: str, context: Context) -> pulumi.Resource:
        settings = context.settings
        return self._issuer(f"{name}-acme", issuer_name(settings), acme_spec(settings), context)

    def _authority(self, name: str, context: Context) -> pulumi.Resource:
        """A self-signed certificate that signs others: the chain of a real authority, without one."""
        settings = context.settings
        self_signed = self._issuer(
            f"{name}-self-signed", f"{settings.namespace}-self-signed", {"selfSigned": {}}, context
        )
        # An issuer of the whole cluster reads its key from cert-manager's own namespace.
        metadata = self._elsewhere(settings, issuer_name(settings), settings.certificates.controller_namespace)
        authority = self._certificate(f"{name}-authority", metadata, authority_spec(settings), self_signed)
        ca = {"ca": {"secretName": issuer_name(settings)}}
        return self._issuer(f"{name}-ca", issuer_name(settings), ca, context, authority)

    def _elsewhere(self, settings: Settings, name: str, namespace: str | None = None) -> meta.v1.ObjectMetaArgs:
        return meta.v1.ObjectMetaArgs(
            name=name,
            namespace=namespace or settings.monitoring.grafana.namespace,
            labels=labels(name, settings.owner, "tls"),
            annotations=section_annotations(_SECTION, **_WAIT_READY),
        )
