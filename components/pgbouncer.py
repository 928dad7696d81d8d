"""PgBouncer: shares PostgreSQL's connections among the services (section 3.2, defect 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from pulumi_kubernetes import apps, core, meta, policy

from components import pods
from components.context import Context, child
from components.labels import SKIP_AWAIT, selector
from runbook import datastores, endpoints
from runbook.endpoints import Endpoint
from runbook.sections import Section
from runbook.settings import PgbouncerSettings

CONFIG_MAP: Final = "pgbouncer-config"
_CONFIG: Final = "/etc/pgbouncer"
_SECRETS: Final = "/etc/pgbouncer/secrets"
_AUTHORITY: Final = "/etc/pgbouncer/postgres-ca"
_SPEC: Final = datastores.PGBOUNCER
_SECTION: Final = Section.CONNECTION_POOL


def pgbouncer_ini(settings: PgbouncerSettings, server: Endpoint) -> str:
    """``pgbouncer.ini``: transaction pooling, so that a client holds a server connection only while it works."""
    lines = [
        "[databases]",
        f"{datastores.DATABASE} = host={server.host} port={server.port}",
        "[pgbouncer]",
        "listen_addr = *",
        f"listen_port = {_SPEC.port}",
        "unix_socket_dir =",
        "auth_type = scram-sha-256",
        f"auth_file = {_SECRETS}/userlist.txt",
        "pool_mode = transaction",
        f"default_pool_size = {settings.pool_size}",
        f"max_db_connections = {settings.pool_size}",
        f"max_client_conn = {settings.max_client_connections}",
        "server_reset_query_always = 0",
        # Clients that speak through JDBC or libpq send these; transaction pooling has no use for them.
        "ignore_startup_parameters = extra_float_digits,options",
        *([f"server_tls_sslmode = {server.sslmode}"] if server.tls else []),
        *([f"server_tls_ca_file = {_AUTHORITY}/ca.crt"] if server.ca_secret else []),
        "log_connections = 0",
        "log_disconnections = 0",
    ]
    return "".join(f"{line}\n" for line in lines)


def deployment_args(context: Context, config: dict[str, str]) -> apps.v1.DeploymentInitArgs:
    """The Deployment; its pods are all alike, and a client that loses one reconnects to another."""
    settings = context.settings.pgbouncer
    mounts = [
        pods.config_files("config", CONFIG_MAP, f"{_CONFIG}/conf"),
        pods.secret_files("userlist", context.settings.secrets.pgbouncer, _SECRETS),
        *(
            pods.secret_files(name, secret, _AUTHORITY)
            for name, secret in context.settings.postgres.authority_secrets().items()
        ),
        pods.temporary(),
    ]
    return apps.v1.DeploymentInitArgs(
        metadata=context.metadata(_SPEC.name, "datastore", _SECTION),
        spec=apps.v1.DeploymentSpecArgs(
            replicas=settings.replicas,
            selector=meta.v1.LabelSelectorArgs(match_labels=selector(_SPEC.name)),
            template=pods.template(
                pods.PodArgs(
                    name=_SPEC.name,
                    component="datastore",
                    section=_SECTION,
                    user_id=_SPEC.user_id,
                    containers=[_container(context, mounts)],
                    mounts=mounts,
                    config=config,
                ),
                context.settings,
            ),
        ),
    )


def _container(context: Context, mounts: Sequence[pods.Mount]) -> core.v1.ContainerArgs:
    return core.v1.ContainerArgs(
        name=_SPEC.name,
        image=context.settings.image("pgbouncer"),
        args=["pgbouncer", f"{_CONFIG}/conf/pgbouncer.ini"],
        ports=[core.v1.ContainerPortArgs(name=_SPEC.name, container_port=_SPEC.port)],
        resources=pods.requirements(context.settings.pgbouncer.resources),
        security_context=pods.container_security(),
        startup_probe=pods.tcp_probe(_SPEC.name, period=2, failures=30),
        readiness_probe=pods.tcp_probe(_SPEC.name, period=10, failures=3),
        liveness_probe=pods.tcp_probe(_SPEC.name, period=30, failures=6, timeout=10),
        volume_mounts=[mount.mount for mount in mounts],
    )


class PgBouncer(pulumi.ComponentResource):
    """PgBouncer."""

    def __init__(
        self,
        name: str,
        context: Context,
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("crypto:datastore:PgBouncer", name, None, opts)
        config = {"pgbouncer.ini": pgbouncer_ini(context.settings.pgbouncer, endpoints.postgres(context.settings))}
        metadata = context.metadata(_SPEC.name, "datastore", _SECTION)
        config_map = core.v1.ConfigMap(
            f"{name}-config",
            core.v1.ConfigMapInitArgs(metadata=context.metadata(CONFIG_MAP, "datastore", _SECTION), data=dict(config)),
            child(self),
        )
        account = core.v1.ServiceAccount(
            f"{name}-service-account",
            core.v1.ServiceAccountInitArgs(metadata=metadata, automount_service_account_token=False),
            child(self),
        )
        self.service = core.v1.Service(
            f"{name}-service",
            core.v1.ServiceInitArgs(
                metadata=context.metadata(_SPEC.name, "datastore", _SECTION, SKIP_AWAIT),
                spec=core.v1.ServiceSpecArgs(
                    selector=selector(_SPEC.name),
                    ports=[core.v1.ServicePortArgs(name=_SPEC.name, port=_SPEC.port, target_port=_SPEC.name)],
                ),
            ),
            child(self),
        )
        self.deployment = apps.v1.Deployment(
            f"{name}-deployment",
            deployment_args(context, config),
            child(self, depends_on=[account, config_map, *depends_on]),
        )
        policy.v1.PodDisruptionBudget(
            f"{name}-disruption-budget", pods.disruption_budget_args(_SPEC.name, metadata), child(self)
        )
        self.address = _SPEC.address
        self.register_outputs({"address": self.address})
