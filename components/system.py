"""The whole system: what is declared, in the order in which it can come up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from components import ops_jobs, providers
from components.app_config import AppConfig
from components.backup_storage import BackupStorage
from components.context import Context
from components.kafka import Kafka
from components.monitoring.component import Monitoring
from components.namespace import CryptoNamespace
from components.ops_config import OpsConfig
from components.ops_job import OpsCronJob
from components.pgbouncer import PgBouncer
from components.postgres import Postgres
from components.redis import Redis
from components.service import Microservice, MicroserviceArgs
from runbook import services
from runbook.settings import Settings


@dataclass(frozen=True, slots=True)
class System:
    """The components of a stack."""

    namespace: CryptoNamespace
    storage: BackupStorage
    services: dict[str, Microservice]
    jobs: dict[str, OpsCronJob]

    def outputs(self) -> dict[str, Any]:
        """What people and scripts ask a stack for."""
        return {
            "namespace": self.namespace.name,
            "backupBucket": self.storage.bucket.bucket,
            "services": {name: service.url for name, service in self.services.items()},
            "jobs": sorted(self.jobs),
        }


def declare(settings: Settings) -> System:
    """Declares everything that the stack's settings ask for."""
    cluster = providers.options(providers.kubernetes_provider(settings))
    context = Context(settings, settings.namespace)
    namespace = CryptoNamespace("crypto", context, cluster)
    context = context.in_namespace(namespace.name)

    storage = BackupStorage("backups", context, providers.options(providers.aws_provider(settings)))
    app_config = AppConfig("app", context, cluster)
    postgres = Postgres("postgres", context, cluster)
    redis = Redis("redis", context, cluster)
    kafka = Kafka("kafka", context, cluster)
    pgbouncer = PgBouncer("pgbouncer", context, [postgres.stateful_set], cluster)

    ready: list[pulumi.Resource] = [
        app_config.config_map,
        pgbouncer.deployment,
        redis.stateful_set,
        kafka.stateful_set,
    ]
    microservices = {
        spec.name: Microservice(
            spec.name,
            MicroserviceArgs(spec, settings.services[spec.name], app_config.data),
            context,
            ready,
            cluster,
        )
        for spec in services.ALL
    }
    ops_config = OpsConfig("ops", context, cluster)
    jobs = {
        args.name: OpsCronJob(args.name, args, context, storage.role_arn, [ops_config.config_map], cluster)
        for args in ops_jobs.all_jobs(settings)
    }
    Monitoring("monitoring", context, cluster)
    return System(namespace, storage, microservices, jobs)
