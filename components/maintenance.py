"""The maintenance page: what users see while the system is being worked on (section 8.2)."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_kubernetes import coordination, core

from components import pods
from components.context import Context, child
from components.deployment import Workload, WorkloadArgs
from runbook import capacity, flows
from runbook import maintenance as names
from runbook.sections import Section

NAME: Final = names.PAGE
# The runbook's own name for the ConfigMap, and its Service's port.
CONFIG_MAP: Final = "maintenance-page"
SERVICE_PORT: Final = names.PAGE_PORT
USER_ID: Final = 10101
_SECTION: Final = Section.MAINTENANCE_MODE


def page(domain: str) -> str:
    """The page. It needs nothing else from anywhere: everything else may be down."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Maintenance</title>
<style>
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1.1rem/1.6 system-ui, sans-serif;
  color: #1c2733; background: #f4f6f8; }}
main {{ max-width: 32rem; padding: 2rem; }}
h1 {{ font-size: 1.6rem; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e6ebf0; background: #141a21; }} }}
</style>
</head>
<body>
<main>
<h1>We are working on {domain}</h1>
<p>The dashboard is down for planned maintenance. Your data is safe. Please come back in a little while: this page is
replaced by the dashboard as soon as it runs again.</p>
</main>
</body>
</html>
"""


def workload_args(context: Context) -> WorkloadArgs:
    """Two pods: the page is all that users get while it is shown."""
    mounts = [
        pods.config_files("page", CONFIG_MAP, "/usr/share/nginx/html"),
        pods.temporary(),
    ]
    container = core.v1.ContainerArgs(
        name=NAME,
        image=context.settings.image("maintenance"),
        ports=[core.v1.ContainerPortArgs(name="http", container_port=flows.MAINTENANCE_PORT)],
        resources=pods.requirements(capacity.MAINTENANCE_RESOURCES),
        security_context=pods.container_security(),
        startup_probe=pods.http_probe("/healthz", "http", period=2, failures=30),
        readiness_probe=pods.http_probe("/healthz", "http", period=10, failures=3),
        liveness_probe=pods.tcp_probe("http", period=30, failures=3),
        volume_mounts=[mount.mount for mount in mounts],
    )
    pod = pods.PodArgs(
        name=NAME,
        component="service",
        section=_SECTION,
        user_id=USER_ID,
        containers=[container],
        mounts=mounts,
        grace_seconds=10,
        config={"index.html": page(context.settings.domain)},
    )
    return WorkloadArgs(pod=pod, replicas=capacity.MAINTENANCE_PODS, port=SERVICE_PORT, port_name="http")


class Maintenance(Workload):
    """The page's server. It always runs: a page that has to be pulled first is no answer to an outage."""

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        maps = {CONFIG_MAP: {"index.html": page(context.settings.domain)}}
        super().__init__("crypto:maintenance:Page", name, workload_args(context), context, maps, opts=opts)
        coordination.v1.Lease(f"{name}-lease", lease_args(context), child(self))


def lease_args(context: Context) -> coordination.v1.LeaseInitArgs:
    """The lock of ``ops maintenance``: made here, so that nobody needs the right to make Leases; held by ``ops``."""
    declared = {names.DECLARED: str(context.settings.maintenance).lower()}
    return coordination.v1.LeaseInitArgs(metadata=context.metadata(names.LEASE, "operations", _SECTION, declared))
