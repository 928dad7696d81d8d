"""The way in: one host, TLS, and behind it the gateway or, during maintenance, its page (sections 7.4 and 8.2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes import meta, networking

from components import maintenance
from components.certificates import GRAFANA_SECRET, TLS_SECRET, grafana_host
from components.context import Context, child
from components.labels import WAIT_FOR, labels, section_annotations
from components.pods import checksum
from runbook import maintenance as maintenance_names
from runbook import services
from runbook.sections import Section
from runbook.settings import Settings

# The runbook's own name for it.
NAME: Final = maintenance_names.INGRESS
# A fingerprint of labels and annotations.
_STAMP: Final = "crypto.analytics/metadata-checksum"
_HAS_ADDRESS: Final = "jsonpath={.status.loadBalancer.ingress[0]}"


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service of the Ingress's namespace and its port."""

    service: str
    port: int


def backend(settings: Settings) -> Backend:
    """Where requests go. Only this changes for maintenance: host and certificate stay (defect 17)."""
    if settings.maintenance:
        return Backend(maintenance.NAME, maintenance.SERVICE_PORT)
    return Backend(services.API_GATEWAY.service_name, services.API_GATEWAY.port)


def spec(host: str, secret: str, target: Backend, class_name: str) -> networking.v1.IngressSpecArgs:
    """One host with its certificate, and everything under it to one backend."""
    service = networking.v1.IngressServiceBackendArgs(
        name=target.service, port=networking.v1.ServiceBackendPortArgs(number=target.port)
    )
    path = networking.v1.HTTPIngressPathArgs(
        path="/", path_type="Prefix", backend=networking.v1.IngressBackendArgs(service=service)
    )
    return networking.v1.IngressSpecArgs(
        ingress_class_name=class_name,
        tls=[networking.v1.IngressTLSArgs(hosts=[host], secret_name=secret)],
        rules=[networking.v1.IngressRuleArgs(host=host, http=networking.v1.HTTPIngressRuleValueArgs(paths=[path]))],
    )


def ingress_args(context: Context) -> networking.v1.IngressInitArgs:
    """The system's Ingress."""
    settings = context.settings
    section = Section.MAINTENANCE_MODE if settings.maintenance else Section.TLS
    return networking.v1.IngressInitArgs(
        metadata=_metadata(NAME, context.namespace, section, settings),
        spec=spec(settings.domain, TLS_SECRET, backend(settings), settings.ingress.class_name),
    )


def grafana_ingress_args(settings: Settings, service: str) -> networking.v1.IngressInitArgs:
    """Grafana's Ingress, in Grafana's namespace: an Ingress reaches Services of its own namespace only."""
    grafana = settings.monitoring.grafana
    name = f"{settings.namespace}-grafana"
    return networking.v1.IngressInitArgs(
        metadata=_metadata(name, grafana.namespace, Section.DASHBOARD_CHECK, settings),
        spec=spec(grafana_host(settings), GRAFANA_SECRET, Backend(service, grafana.port), settings.ingress.class_name),
    )


def _metadata(name: str, namespace: pulumi.Input[str], section: Section, settings: Settings) -> meta.v1.ObjectMetaArgs:
    known = labels(name, settings.owner, "ingress")
    notes = section_annotations(section, **settings.ingress.annotations)
    stamped = _awaited(checksum({**known, **notes}))
    return meta.v1.ObjectMetaArgs(name=name, namespace=namespace, labels=known, annotations={**stamped, **notes})


def _awaited(stamp: str) -> dict[str, str]:
    """Wait for the address at which the controller serves the Ingress as it is declared now.

    The provider waits for an address by itself too, and then records the Ingress as the API server's lists showed it:
    that can be the one from before this change. The next deployment compares with what is recorded, and one that ends
    maintenance would find nothing to change and leave users on the page. With conditions the provider passes over what
    has an older spec, but not over older metadata; hence the stamp.
    """
    is_this = f"jsonpath={{.metadata.annotations['{_STAMP}']}}={stamp}"
    return {_STAMP: stamp, WAIT_FOR: json.dumps([_HAS_ADDRESS, is_this])}


class Edge(pulumi.ComponentResource):
    """The Ingresses of the system."""

    def __init__(
        self,
        name: str,
        context: Context,
        depends_on: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("crypto:edge:Ingress", name, None, opts)
        settings = context.settings
        self.ingress = networking.v1.Ingress(
            f"{name}-ingress", ingress_args(context), child(self, depends_on=depends_on)
        )
        grafana = settings.monitoring.grafana.service
        if grafana is not None:
            networking.v1.Ingress(
                f"{name}-grafana", grafana_ingress_args(settings, grafana), child(self, depends_on=depends_on)
            )
        self.url = f"https://{settings.domain}"
        self.register_outputs({"url": self.url})
