"""The printed table and diagram of the flows: what the network policies open, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runbook import database_roles, datastores, exporters, jobs, services
from runbook.flows import MAINTENANCE, Flow, Outside, Party, flows
from runbook.settings import Settings

_HEAD = """# Network

Made from `runbook/flows.py` by `make docs`, for the settings of production; do not edit it.

Every pod of the namespace is closed in both directions. Each flow below is open, on both of its sides, by the network
policy that bears the party's name; every pod may ask DNS besides. What lies outside is named by its namespace (the
ingress controller, Prometheus) or by its networks: `crypto:network` has `apiServerCidrs`, `awsCidrs`, `mailCidrs` and
`chatCidrs`, and an external datastore its `cidr`. S3, mail servers and Slack have no fixed addresses; without a network
of its own a party's ports are open to everywhere, which the rule `network-egress-narrowed` refuses in production. The
job `backup-resources`, say, reaches the Kubernetes API and port 443 of AWS, and no database.
"""


def markdown(settings: Settings) -> str:
    """The whole page."""
    table = flows(settings)
    parts = [_HEAD, "## Services and datastores\n", _diagram(flow for flow in table if not _of_job(flow))]
    parts += ["## Flows\n", _table(table)]
    return "\n".join(parts)


def _of_job(flow: Flow) -> bool:
    return flow.source in jobs.BY_NAME


def _diagram(table: Iterable[Flow]) -> str:
    known = tuple(table)
    parties = dict.fromkeys(party for flow in known for party in (flow.source, flow.target))
    lines = ["```mermaid", "flowchart LR"]
    lines += [f"  {_identifier(party)}{_shape(party)}" for party in parties]
    lines += [
        f"  {_identifier(flow.source)} -->|{', '.join(map(str, flow.ports))}| {_identifier(flow.target)}"
        for flow in known
    ]
    return "\n".join([*lines, "```", ""])


def _identifier(party: Party) -> str:
    return _name(party).replace(" ", "_")


def _name(party: Party) -> str:
    return party.value if isinstance(party, Outside) else party


def _shape(party: Party) -> str:
    stores = {store.name for store in (datastores.POSTGRES, datastores.REDIS, datastores.KAFKA)}
    if isinstance(party, Outside):
        return f'(["{party.value}"])'
    return f'[("{party}")]' if party in stores else f'["{party}"]'


def _table(table: Iterable[Flow]) -> str:
    rows = (
        f"| {_name(flow.source)} | {_name(flow.target)} | {_ports(flow)} | {flow.why} |" for flow in _ordered(table)
    )
    return "\n".join(["| From | To | Ports | For |", "| --- | --- | --- | --- |", *rows, ""])


def _ports(flow: Flow) -> str:
    return ", ".join(map(str, flow.ports))


def _ordered(table: Iterable[Flow]) -> Iterator[Flow]:
    """Users first, then the services, what they use, what watches them, and the jobs."""
    known = tuple(table)
    order = [*services.BY_NAME, MAINTENANCE, database_roles.SETUP_JOB, datastores.PGBOUNCER.name, datastores.KAFKA.name]
    order += [exporter.name for exporter in exporters.ALL] + list(jobs.BY_NAME)
    yield from (flow for flow in known if isinstance(flow.source, Outside))
    for name in order:
        yield from (flow for flow in known if flow.source == name)
