"""Settings of what stands between the system and its users: ingress, certificates, network, access, waivers."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from runbook import practices
from runbook.formats import DnsLabel, DnsName, MailAddress, Port, SecureAddress, Whole
from runbook.ops_settings import Waiver
from runbook.settings.base import Cidr, Model

EVERYWHERE: Final = ("0.0.0.0/0",)


class IngressSettings(Model):
    """The cluster's ingress controller: its class, where it runs, and what it wants to be told by annotations."""

    class_name: DnsName = "nginx"
    controller_namespace: DnsLabel = "ingress-nginx"
    annotations: dict[str, str] = Field(default_factory=dict)


class CertificateSettings(Model):
    """Who signs certificates: an ACME server (production), or an authority of the cluster's own (``selfSigned``)."""

    issuer: Literal["acme", "selfSigned"] = "acme"
    acme_server: SecureAddress = "https://acme-v02.api.letsencrypt.org/directory"
    email: MailAddress | None = Field(default=None, description="the ACME account's contact")
    controller_namespace: DnsLabel = "cert-manager"
    duration_days: Whole = Field(default=90, ge=7, le=398)
    renew_before_days: Whole = Field(default=practices.CERTIFICATE_RENEWAL.count, ge=1, le=199)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.renew_before_days * 2 > self.duration_days:
            raise ValueError(
                f"renewBeforeDays {self.renew_before_days} is more than half of durationDays {self.duration_days}; "
                "a certificate would be renewed for most of its life"
            )
        if self.issuer == "acme" and self.email is None:
            raise ValueError("issuer acme needs email, where the authority warns of certificates that end")
        return self


class AccessSettings(Model):
    """Groups of the cluster's identity provider, by what they may do in the namespace (section 9.1)."""

    on_call: str = Field(default="crypto:on-call", min_length=1)
    developers: str = Field(default="crypto:developers", min_length=1)
    break_glass: str = Field(default="crypto:break-glass", min_length=1)


class PolicySettings(Model):
    """What the stack's owner answers for: violations of a policy that are accepted for some time (section 7.1)."""

    waivers: tuple[Waiver, ...] = ()


class NetworkSettings(Model):
    """What lies outside the namespace, as network policies have to name it.

    S3, mail servers and Slack are names without fixed addresses: their networks are those of endpoints or of a proxy
    inside of the account's own network, or the ranges that their owners publish.
    """

    api_server_cidrs: tuple[Cidr, ...] = Field(default=EVERYWHERE, min_length=1)
    api_server_ports: tuple[Port, ...] = Field(default=(443, 6443), min_length=1)
    aws_cidrs: tuple[Cidr, ...] = Field(
        default=EVERYWHERE, min_length=1, description="where jobs reach S3 and STS, or aws.endpoint"
    )
    mail_cidrs: tuple[Cidr, ...] = Field(
        default=EVERYWHERE, min_length=1, description="where jobs reach notifications.mail.host"
    )
    chat_cidrs: tuple[Cidr, ...] = Field(default=EVERYWHERE, min_length=1, description="where jobs reach Slack")
    dns_cidr: Cidr | None = Field(default=None, description="left out: DNS is the pods with the label k8s-app=kube-dns")
