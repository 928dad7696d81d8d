"""The whole system: what is declared, in the order in which it can come up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import datastores, ops_jobs, providers
from components.access import Access
from components.admission import Admission
from components.app_config import AppConfig
from components.certificates import Certificates
from components.context import Context
from components.exporters import Exporter
from components.ingress import Edge
from components.maintenance import Maintenance
from components.monitoring.component import Monitoring
from components.namespace import CryptoNamespace
from components.network import Network
from components.ops_config import OpsConfig
from components.ops_job import OpsCronJob
from components.providers import Providers
from components.service import Microservice, MicroserviceArgs
from components.storage.backups import BackupStorage
from runbook import exporters, services
from runbook.settings import Settings


@dataclass(frozen=True, slots=True)
class System:
    """The components of a stack that others ask for."""

    namespace: CryptoNamespace
    storage: BackupStorage
    services: dict[str, Microservice]
    jobs: dict[str, OpsCronJob]
    edge: Edge

    def outputs(self) -> dict[str, Any]:
        """What people and scripts ask a stack for."""
        return {
            "namespace": self.namespace.name,
            "url": self.edge.url,
            "backupBucket": self.storage.bucket.bucket,
            "services": {name: service.url for name, service in self.services.items()},
            "jobs": sorted(self.jobs),
        }


def declare(settings: Settings, chosen: Providers) -> System:
    """Declares everything that the stack's settings ask for, with these providers."""
    cluster = providers.options(chosen.cluster)
    context = Context(settings, settings.namespace)
    namespace = CryptoNamespace("crypto", context, cluster)
    context = context.in_namespace(namespace.name)
    Network("network", context, cluster)
    Access("access", context, cluster)
    Admission("admission", context, cluster)
    storage = BackupStorage("backups", context, providers.options(chosen.account))
    app_config = AppConfig("app", context, cluster)
    ops_config = OpsConfig("ops", context, cluster)
    stores = datastores.declare(context, ops_config.config_map, cluster)
    _exporters(context, storage, stores, cluster)
    microservices = _services(context, app_config, stores, cluster)
    maintenance = Maintenance("maintenance", context, cluster)
    jobs = _jobs(context, storage, ops_config, cluster)
    certificates = Certificates("certificates", context, cluster)
    Monitoring("monitoring", context, cluster)
    behind = [microservices[services.API_GATEWAY.name].service, maintenance.service, *certificates.certificates]
    edge = Edge("edge", context, behind, cluster)
    return System(namespace, storage, microservices, jobs, edge)


def _exporters(
    context: Context, storage: BackupStorage, stores: Sequence[pulumi.Resource], cluster: pulumi.ResourceOptions
) -> None:
    for spec in exporters.ALL:
        stores_first = stores if spec.datastore else ()
        Exporter(spec.name, spec, context, stores_first, cluster, storage.role_arn(spec.name))


def _services(
    context: Context, app_config: AppConfig, stores: Sequence[pulumi.Resource], cluster: pulumi.ResourceOptions
) -> dict[str, Microservice]:
    ready = [app_config.config_map, *stores]
    made: dict[str, Microservice] = {}
    for spec in services.ALL:
        args = MicroserviceArgs(spec, context.settings.services[spec.name], app_config.data)
        made[spec.name] = Microservice(spec.name, args, context, ready, cluster)
    return made


def _jobs(
    context: Context, storage: BackupStorage, config: OpsConfig, cluster: pulumi.ResourceOptions
) -> dict[str, OpsCronJob]:
    made: dict[str, OpsCronJob] = {}
    for args in ops_jobs.all_jobs(context.settings):
        role = storage.role_arn(args.name)
        made[args.name] = OpsCronJob(args.name, args, context, role, [config.config_map], cluster)
    return made
