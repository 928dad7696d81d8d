"""NetworkPolicies: nothing is open but the flows of ``runbook.flows`` and DNS (section 9.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pulumi
from pulumi_kubernetes import meta, networking

from components.context import Context, child
from components.labels import selector
from runbook.flows import Flow, Outside, flows, parties
from runbook.sections import Section
from runbook.settings import Settings

DENY_ALL: Final = "default-deny"
ALLOW_DNS: Final = "allow-dns"
ACME_SOLVER: Final = "acme-solver"
_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
_DNS_PORTS: Final = (("UDP", 53), ("TCP", 53))
# CoreDNS listens on another port in its pod than at its Service in some clusters; policies count behind the Service.
_DNS_POD_PORTS: Final = (*_DNS_PORTS, ("UDP", 1053), ("TCP", 1053))
_SOLVER_PORT: Final = 8089

Peer = networking.v1.NetworkPolicyPeerArgs
Policy = networking.v1.NetworkPolicyInitArgs


def _in_namespace(name: str, pods: dict[str, str] | None = None) -> Peer:
    return Peer(
        namespace_selector=meta.v1.LabelSelectorArgs(match_labels={_NAMESPACE_LABEL: name}),
        pod_selector=meta.v1.LabelSelectorArgs(match_labels=pods) if pods else None,
    )


def _network(cidr: str) -> Peer:
    return Peer(ip_block=networking.v1.IPBlockArgs(cidr=cidr))


def _networks(party: Outside, settings: Settings) -> tuple[str, ...]:
    external = {
        Outside.POSTGRES: settings.postgres.external,
        Outside.REDIS: settings.redis.external,
        Outside.KAFKA: settings.kafka.external,
    }
    server = external.get(party)
    if server is not None:
        return (server.cidr,)
    named = {
        Outside.API_SERVER: settings.network.api_server_cidrs,
        Outside.AWS: settings.network.aws_cidrs,
        Outside.MAIL: settings.network.mail_cidrs,
        Outside.CHAT: settings.network.chat_cidrs,
    }
    return named[party]


def peers(party: str | Outside, settings: Settings) -> list[Peer]:
    """How a policy names a party: pods by their label, what is outside by its namespace or its network."""
    if isinstance(party, str):
        return [Peer(pod_selector=meta.v1.LabelSelectorArgs(match_labels=selector(party)))]
    namespaces = {
        Outside.INGRESS: settings.ingress.controller_namespace,
        Outside.PROMETHEUS: settings.monitoring.namespace,
    }
    if party in namespaces:
        return [_in_namespace(namespaces[party])]
    return [_network(cidr) for cidr in _networks(party, settings)]


def _ports(numbers: Iterable[int]) -> list[networking.v1.NetworkPolicyPortArgs]:
    return [networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=number) for number in numbers]


def _ingress(flow: Flow, settings: Settings) -> networking.v1.NetworkPolicyIngressRuleArgs:
    return networking.v1.NetworkPolicyIngressRuleArgs(from_=peers(flow.source, settings), ports=_ports(flow.ports))


def _egress(flow: Flow, settings: Settings) -> networking.v1.NetworkPolicyEgressRuleArgs:
    return networking.v1.NetworkPolicyEgressRuleArgs(to=peers(flow.target, settings), ports=_ports(flow.ports))


def party_policy(party: str, table: Iterable[Flow], context: Context) -> Policy:
    """What the pods of a party may accept and open."""
    known = tuple(table)
    settings = context.settings
    incoming = [_ingress(flow, settings) for flow in known if flow.target == party]
    outgoing = [_egress(flow, settings) for flow in known if flow.source == party]
    return Policy(
        metadata=context.metadata(party, "network", Section.NAMESPACE),
        spec=networking.v1.NetworkPolicySpecArgs(
            pod_selector=meta.v1.LabelSelectorArgs(match_labels=selector(party)),
            policy_types=[*(["Ingress"] if incoming else []), *(["Egress"] if outgoing else [])],
            ingress=incoming or None,
            egress=outgoing or None,
        ),
    )


def deny_all(context: Context) -> Policy:
    """Closes every pod of the namespace in both directions; what is open is open by another policy."""
    return Policy(
        metadata=context.metadata(DENY_ALL, "network", Section.NAMESPACE),
        spec=networking.v1.NetworkPolicySpecArgs(
            pod_selector=meta.v1.LabelSelectorArgs(), policy_types=["Ingress", "Egress"]
        ),
    )


def allow_dns(context: Context) -> Policy:
    """Lets every pod ask the cluster's DNS."""
    cidr = context.settings.network.dns_cidr
    where = _network(cidr) if cidr else _in_namespace("kube-system", {"k8s-app": "kube-dns"})
    ports = [
        networking.v1.NetworkPolicyPortArgs(protocol=protocol, port=port)
        for protocol, port in (_DNS_PORTS if cidr else _DNS_POD_PORTS)
    ]
    return Policy(
        metadata=context.metadata(ALLOW_DNS, "network", Section.NAMESPACE),
        spec=networking.v1.NetworkPolicySpecArgs(
            pod_selector=meta.v1.LabelSelectorArgs(),
            policy_types=["Egress"],
            egress=[networking.v1.NetworkPolicyEgressRuleArgs(to=[where], ports=ports)],
        ),
    )


def acme_solver(context: Context) -> Policy:
    """cert-manager proves the domain by pods of its own in this namespace; the authority asks them over HTTP."""
    rule = networking.v1.NetworkPolicyIngressRuleArgs(
        from_=peers(Outside.INGRESS, context.settings), ports=_ports([_SOLVER_PORT])
    )
    return Policy(
        metadata=context.metadata(ACME_SOLVER, "network", Section.TLS),
        spec=networking.v1.NetworkPolicySpecArgs(
            pod_selector=meta.v1.LabelSelectorArgs(match_labels={"acme.cert-manager.io/http01-solver": "true"}),
            policy_types=["Ingress"],
            ingress=[rule],
        ),
    )


def policies(context: Context) -> dict[str, Policy]:
    """Every policy that opens something, by its name."""
    table = flows(context.settings)
    solver = {ACME_SOLVER: acme_solver(context)} if context.settings.certificates.issuer == "acme" else {}
    return {
        ALLOW_DNS: allow_dns(context),
        **solver,
        **{party: party_policy(party, table, context) for party in parties(context.settings)},
    }


class Network(pulumi.ComponentResource):
    """Every NetworkPolicy of the namespace."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("crypto:network:Network", name, None, opts)
        allowed = [
            networking.v1.NetworkPolicy(f"{name}-{policy}", args, child(self))
            for policy, args in policies(context).items()
        ]
        # Last: a system that runs already is never closed before its flows are open.
        self.deny_all = networking.v1.NetworkPolicy(
            f"{name}-{DENY_ALL}", deny_all(context), child(self, depends_on=allowed)
        )
        self.register_outputs({"policies": len(allowed) + 1})
